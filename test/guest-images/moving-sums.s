# A firmware image of 64 KiB whose guest computes the same sum for ever on every processor, in ring 3 and a little in
# ring 0, with timers of both kinds running: what test/system/move-between-engines.test.ts moves between engines.
#
# Ring 3: general registers, memory, SSE2 integers and doubles, the x87 stack. Each round ends in a UD2, whose
# handler goes on with the sum in ring 0: a KVM that emulates ring 0 in software may have neither SYSCALL nor INT n. Processor 0 then sends the other an interrupt and waits until it has been
# counted there, waits by HLT for a tick of the 8254 each eighth round, and prints a line of five numbers in
# hexadecimal: the sums of both (the same number while nothing is lost), rounds of the other, ticks of the 8254, ticks of
# the local APICs. An exception prints an exclamation mark, its vector, its error code
# if it has one, and its address, and ends the processor.
#
# Assembled by the test: as --64 --defsym CPUS=n, ld -Ttext=0xffff0000 --oformat binary.
.intel_syntax noprefix
.text

.equ ITERATIONS, 20000
.equ KERNEL_ITERATIONS, 50
.equ GDT, 0x4000
.equ TSS, 0x5000              # 128 bytes each
.equ IDT, 0x6000
.equ CPU, 0x7000              # what follows, 256 bytes each
.equ CPU_STACK, 0
.equ CPU_SUM, 8
.equ CPU_ROUNDS, 16
.equ CPU_TICKS, 24
.equ CPU_IPIS, 32
.equ CPU_SCRATCH, 40          # of ring 3
.equ AP_START, 0x8000         # where the other processor begins
.equ STACKS, 0x9000           # of ring 0, 1000h below this and the next multiple
.equ USER_STACKS, 0xc000
.equ TABLES, 0xd000           # 256 bytes each, which ring 3 fills
.equ PIT_TICKS, 0xe000
.equ IPIS_SENT, 0xe008
.equ PAGES, 0x10000           # PML4, PDPT, four page directories
.equ LAPIC, 0xfee00000
.equ COM1, 0x3f8

.equ CODE, 8
.equ DATA, 0x10
.equ USER_DATA, 0x23
.equ USER_CODE, 0x2b
.equ CODE32, 0x30
.equ TASK, 0x38               # 16 bytes each

.code16
start:
        cli
        .byte   0x66          # a base of 32 bits
        lgdt    cs:[rom_gdtr - start]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        .byte   0x66, 0xea
        .long   first32
        .word   CODE32

ap16:                         # copied to AP_START
        cli
        .byte   0x66
        lgdt    cs:[ap_gdtr - ap16]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        .byte   0x66, 0xea
        .long   common32
        .word   CODE32
        .balign 4
ap_gdtr: .word  rom_gdt_end - rom_gdt - 1
        .long   rom_gdt
ap16_end:

        .balign 8
rom_gdt:                      # accessed bits set: nothing writes here
        .quad   0
        .quad   0x00af9b000000ffff      # CODE
        .quad   0x00cf93000000ffff      # DATA
        .quad   0
        .quad   0x00cff3000000ffff      # USER_DATA
        .quad   0x00affb000000ffff      # USER_CODE
        .quad   0x00cf9b000000ffff      # CODE32
        .quad   0x0000890000000067 | (TSS & 0xffff) << 16
        .quad   0
        .quad   0x0000890000000067 | (TSS + 0x80 & 0xffff) << 16
        .quad   0
rom_gdt_end:
rom_gdtr: .word rom_gdt_end - rom_gdt - 1
        .long   rom_gdt
ram_gdtr: .word rom_gdt_end - rom_gdt - 1
        .quad   GDT
idtr:   .word   0xfff
        .quad   IDT

.code32
first32:                      # processor 0 alone: what all of them use
        mov     ax, DATA
        mov     ds, ax
        mov     es, ax
        cld
        mov     edi, GDT
        mov     ecx, 0xb000 / 4
        xor     eax, eax
        rep stosd
        mov     esi, offset rom_gdt
        mov     edi, GDT
        mov     ecx, (rom_gdt_end - rom_gdt) / 4
        rep movsd
        mov     esi, offset ap16
        mov     edi, AP_START
        mov     ecx, ap16_end - ap16
        rep movsb
        # Pages of 2 MiB, the same address in and out, for ring 3 too.
        mov     edi, PAGES
        mov     ecx, 0x2000 / 4
        xor     eax, eax
        rep stosd
        mov     dword ptr [PAGES], PAGES + 0x1007
        mov     edi, PAGES + 0x1000
        mov     eax, PAGES + 0x2007
1:      mov     [edi], eax
        add     edi, 8
        add     eax, 0x1000
        cmp     eax, PAGES + 0x6007
        jne     1b
        mov     edi, PAGES + 0x2000
        mov     eax, 0x87
2:      mov     [edi], eax
        mov     dword ptr [edi + 4], 0
        add     edi, 8
        add     eax, 0x200000
        jnc     2b
common32:
        mov     ax, DATA
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     eax, 0x620    # PAE, OSFXSR, OSXMMEXCPT
        mov     cr4, eax
        mov     eax, PAGES
        mov     cr3, eax
        mov     ecx, 0xc0000080
        xor     edx, edx
        mov     eax, 0x100    # LME
        wrmsr
        mov     eax, 0x80000023           # PG, NE, MP, PE
        mov     cr0, eax
        .byte   0xea
        .long   long64
        .word   CODE

.code64
long64:
        lgdt    [rip + ram_gdtr]
        mov     eax, LAPIC + 0x20
        mov     ebx, [rax]
        shr     ebx, 24                   # number of this processor, kept in R15
        mov     r15d, ebx
        imul    r14d, ebx, 0x100
        add     r14d, CPU                 # its own data, kept in R14 in ring 0's own code
        mov     eax, ebx
        shl     eax, 12
        add     eax, STACKS
        mov     esp, eax
        mov     [r14 + CPU_STACK], rax
        imul    ecx, ebx, 0x80
        mov     [rcx + TSS + 4], rax      # RSP0
        mov     word ptr [rcx + TSS + 102], 0x68
        test    ebx, ebx
        jnz     3f
        call    make_idt
        call    start_chips
3:      lidt    [rip + idtr]
        mov     eax, ebx
        shl     eax, 4
        add     eax, TASK
        ltr     ax
        # The address of its data for ring 0, which ring 3 cannot see.
        mov     ecx, 0xc0000102
        mov     eax, r14d
        xor     edx, edx
        wrmsr
        # The local APIC and its timer: each 2 ms.
        mov     edi, LAPIC
        mov     dword ptr [rdi + 0xf0], 0x1ff
        mov     dword ptr [rdi + 0x350], 0x10000
        test    ebx, ebx
        jnz     4f
        mov     dword ptr [rdi + 0x350], 0x700    # the 8259 pair
4:      mov     dword ptr [rdi + 0x3e0], 0xb
        mov     dword ptr [rdi + 0x320], 0x20040
        mov     dword ptr [rdi + 0x380], 2000000
        # To ring 3.
        imul    eax, ebx, 0x800
        add     eax, USER_STACKS
        push    USER_DATA
        push    rax
        push    0x202
        push    USER_CODE
        mov     eax, offset ring3
        push    rax
        iretq

start_chips:
        mov     al, 0x11
        out     0x20, al
        mov     al, 0x20
        out     0x21, al
        mov     al, 4
        out     0x21, al
        mov     al, 1
        out     0x21, al
        mov     al, 0xfe                  # the timer alone
        out     0x21, al
        mov     al, 0x34                  # channel 0, mode 2, 200 Hz
        out     0x43, al
        mov     al, 5966 & 0xff
        out     0x40, al
        mov     al, 5966 >> 8
        out     0x40, al
.if CPUS > 1
        mov     edi, LAPIC
        mov     dword ptr [rdi + 0xf0], 0x1ff
        mov     dword ptr [rdi + 0x310], 1 << 24
        mov     dword ptr [rdi + 0x300], 0x4500                   # INIT
        mov     dword ptr [rdi + 0x300], 0x4600 | AP_START >> 12  # SIPI
.endif
        ret

make_idt:
        xor     ecx, ecx
1:      lea     eax, [rcx * 8 + exceptions]
        call    set_gate
        inc     ecx
        cmp     ecx, 32
        jne     1b
        mov     eax, offset end_of_round
        mov     ecx, 6
        call    set_gate
        mov     eax, offset pit_tick
        mov     ecx, 0x20
        call    set_gate
        mov     eax, offset apic_tick
        mov     ecx, 0x40
        call    set_gate
        mov     eax, offset ipi
        mov     ecx, 0x41
set_gate:                     # vector ECX, handler EAX, above 2 GiB and below 4
        mov     edx, ecx
        shl     edx, 4
        mov     [rdx + IDT], ax
        mov     word ptr [rdx + IDT + 2], CODE
        mov     word ptr [rdx + IDT + 4], 0x8e00
        shr     eax, 16
        mov     [rdx + IDT + 6], ax
        mov     qword ptr [rdx + IDT + 8], 0
        ret

# ---- interrupts ---------------------------------------------------------------------------------------------------

pit_tick:
        push    rax
        inc     qword ptr [PIT_TICKS]
        mov     al, 0x20
        out     0x20, al
        pop     rax
        iretq

apic_tick:
        push    rax
        push    rdx
        mov     eax, LAPIC + 0x20
        mov     eax, [rax]
        shr     eax, 24 - 8
        inc     qword ptr [rax + CPU + CPU_TICKS]
        jmp     end_of_interrupt
ipi:
        push    rax
        push    rdx
        mov     eax, LAPIC + 0x20
        mov     eax, [rax]
        shr     eax, 24 - 8
        inc     qword ptr [rax + CPU + CPU_IPIS]
end_of_interrupt:
        mov     edx, LAPIC
        mov     dword ptr [rdx + 0xb0], 0
        pop     rdx
        pop     rax
        iretq

        .balign 8
exceptions:
.rept 32
        push    (. - exceptions) / 8
        jmp     exception
        .balign 8
.endr
unexpected:
        push    rcx
exception:                    # on the stack: vector, perhaps an error code, RIP
        mov     al, '!'
        call    print_byte
        pop     rax
        call    print_number
        pop     rax
        call    print_number
        pop     rax
        call    print_number
        mov     al, 10
        call    print_byte
1:      cli
        hlt
        jmp     1b

# ---- ring 0's part of a round: RAX holds the sum -------------------------------------------------------------------

end_of_round:
        swapgs
        mov     r14, gs:[CPU_STACK]
        swapgs
        sub     r14, 40
        cmp     r14, rsp      # the frame of an exception in ring 3, on this processor's own stack
        mov     ecx, 6
        jne     unexpected
        add     qword ptr [rsp], 2        # behind UD2
        sti
        mov     r14d, r15d
        shl     r14d, 8
        add     r14d, CPU
        mov     ecx, KERNEL_ITERATIONS
1:      imul    eax, eax, 1103515245
        add     eax, 12345
        rol     eax, 3
        dec     ecx
        jnz     1b
        mov     [r14 + CPU_SUM], rax
        inc     qword ptr [r14 + CPU_ROUNDS]
        test    r15d, r15d
        jnz     4f
.if CPUS > 1
        # An interrupt to the other processor, which must arrive. It counts them once it is up.
        cmp     qword ptr [CPU + 0x100 + CPU_ROUNDS], 0
        je      3f
        inc     qword ptr [IPIS_SENT]
        mov     edi, LAPIC
        mov     dword ptr [rdi + 0x310], 1 << 24
        mov     dword ptr [rdi + 0x300], 0x4041
        mov     rax, [IPIS_SENT]
2:      pause
        cmp     rax, [CPU + 0x100 + CPU_IPIS]
        jne     2b
3:
.endif
        test    byte ptr [r14 + CPU_ROUNDS], 7
        jnz     6f
        mov     rcx, [PIT_TICKS]
5:      cli
        cmp     rcx, [PIT_TICKS]
        jne     7f
        sti
        hlt
        jmp     5b
7:      sti
6:      mov     rax, [CPU + CPU_SUM]
        call    print_number
        mov     rax, [CPU + 0x100 + CPU_SUM]
        call    print_number
        mov     rax, [CPU + 0x100 + CPU_ROUNDS]
        call    print_number
        mov     rax, [PIT_TICKS]
        call    print_number
        mov     rax, [CPU + CPU_TICKS]
        add     rax, [CPU + 0x100 + CPU_TICKS]
        call    print_number
        mov     al, 10
        call    print_byte
4:      iretq

print_number:                 # EAX: eight digits and a space
        mov     r8d, eax
        mov     r9d, 8
1:      rol     r8d, 4
        mov     eax, r8d
        and     eax, 15
        add     eax, '0'
        cmp     al, '9'
        jbe     2f
        add     al, 'a' - '9' - 1
2:      call    print_byte
        dec     r9d
        jnz     1b
        mov     al, ' '
print_byte:                   # AL, when the transmitter is empty
        mov     ah, al
        mov     dx, COM1 + 5
1:      in      al, dx
        test    al, 0x20
        jz      1b
        mov     al, ah
        mov     dx, COM1
        out     dx, al
        ret

# ---- ring 3: R15 is the processor's number --------------------------------------------------------------------------

ring3:
        mov     eax, 1
        xor     ebx, ebx
        mov     esi, r15d
        shl     esi, 8
        mov     edi, esi
        add     esi, TABLES
        add     edi, CPU + CPU_SCRATCH
        mov     ecx, ITERATIONS
        pxor    xmm0, xmm0
        pxor    xmm3, xmm3
        mov     edx, 0x3f000000           # 0.5
        movd    xmm5, edx
        cvtss2sd xmm5, xmm5
        fninit
        fldz
1:      imul    eax, eax, 1103515245
        add     eax, 12345
        mov     edx, eax
        shr     edx, 16
        and     edx, 0xfc
        mov     [rsi + rdx], eax
        add     ebx, [rsi + rdx]
        rol     ebx, 5
        movd    xmm1, eax                 # XMM0 := rotate(XMM0 + n, 7) in four lanes
        pshufd  xmm1, xmm1, 0
        paddd   xmm0, xmm1
        movdqa  xmm2, xmm0
        psrld   xmm2, 25
        pslld   xmm0, 7
        por     xmm0, xmm2
        movzx   edx, ax
        cvtsi2sd xmm4, edx                # XMM3 := XMM3 / 2 + n
        mulsd   xmm3, xmm5
        addsd   xmm3, xmm4
        mov     [rdi], edx                # ST := ST + n
        fiadd   dword ptr [rdi]
        dec     ecx
        jnz     1b
        movd    eax, xmm0
        xor     ebx, eax
        psrldq  xmm0, 12
        movd    eax, xmm0
        rol     eax, 1
        add     ebx, eax
        movq    rax, xmm3
        xor     ebx, eax
        shr     rax, 32
        add     ebx, eax
        fistp   qword ptr [rdi]
        add     ebx, [rdi]
        mov     eax, ebx
        ud2
        jmp     ring3

        .org    0xfff0, 0xf4
.code16
        .byte   0xe9                      # to the start: IP wraps at 64 KiB
        .word   start - . - 2
        .org    0x10000, 0xf4
