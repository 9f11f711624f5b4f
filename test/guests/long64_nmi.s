# NMI: delivered with IF clear, blocked until IRET, a second one kept waiting meanwhile and taken right after.
#! start:  long64
#! expect: rbx=2
.include "guest.inc"
.include "catch64.inc"
.globl start
start:  install_idt
        set_gate 2, nmi
        mov     edi, 0xfee00000
        mov     dword ptr [rdi + 0xf0], 0x1ff
        mov     dword ptr [rdi + 0x310], 0      # destination: APIC 0
        mov     dword ptr [rdi + 0x300], 0x4400 # NMI
        nop
        nop
        mov     ecx, 50000
1:      cmp     ebx, 2                          # some KVMs deliver a little late
        loopne  1b
        check_eq ebx, 2
        check_eq esi, 0                         # never nested
        done
nmi:    test    edx, edx
        jz      1f
        inc     esi
1:      inc     edx
        inc     ebx
        cmp     ebx, 1
        jne     2f
        mov     dword ptr [rdi + 0x300], 0x4400 # a second one while the first is in service
        mov     eax, 1000
3:      dec     eax
        jnz     3b
2:      dec     edx
        iretq
