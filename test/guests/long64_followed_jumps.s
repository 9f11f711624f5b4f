# Pieces of one page joined by direct jumps and calls, which a translator may run as one: each fault has the RIP of its
# own instruction, before or behind where the code was entered; a store to any piece is seen by the next one to run it;
# flags reach their reader across jumps; a loop made of jumps can be interrupted; return addresses are those of the calls.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.set LAPIC, 0xfee00000
.globl start
start:  install_idt
        mov     rax, 0x800000000000             # not canonical
        # Backward, forward, and a fault in each piece.
        xor     ecx, ecx
        catch   9f
        jmp     3f
1:      inc     ecx
        jmp     4f
2:      mov     rdx, [rax]
        fail
3:      inc     ecx
        jmp     1b
4:      inc     ecx
        jmp     2b
9:      check_caught 13, 0, 2b
        check_eq ecx, 3
        catch   9f
        jmp     2f
1:      div     esi
        fail
2:      xor     esi, esi
        jmp     1b
9:      check_caught 0, 0, 1b
        mov     rbx, rsp
        # Return addresses, and a call that pops its own.
        jmp     2f
1:      pop     rdx
        jmp     3f
2:      call    1b
4:      fail
3:      lea     rsi, [4b]
        check_eq rdx, rsi
        check_eq rsp, rbx
        # Each piece is changed in turn while the whole is in use.
        mov     ecx, 300
        xor     edi, edi
1:      mov     [4f + 1], cl
        jmp     3f
2:      jmp     5f
3:      jmp     4f
5:      mov     dl, 0
        jmp     6f
4:      mov     al, 0
        jmp     2b
6:      mov     [5b + 1], cl                    # takes effect the next time
        movzx   eax, al
        add     edi, eax
        movzx   eax, cl
        sub     edi, eax
        movzx   edx, dl
        add     edi, edx
        dec     ecx
        jnz     1b
        # dl came one round late: 0, 300, 299 ... 2, each taken as a byte
        mov     ecx, 300
        xor     esi, esi
7:      movzx   eax, cl
        add     esi, eax
        dec     ecx
        cmp     ecx, 1
        ja      7b
        check_eq edi, esi
        # The target of a jump becomes another instruction: what the code before the jump knew of its flags is void.
        mov     ebp, 2
1:      mov     ecx, 5
        mov     eax, -1
        add     eax, 1                          # CF, ZF
        mov     edx, [SCRATCH]
        jmp     2f
3:      dec     ebp
        jz      4f
        mov     dword ptr [2f], 0x00d18348      # ADC RCX, 0
        jmp     1b
2:      .byte   0x48, 0x83, 0xe1, 0x07          # AND RCX, 7
        jmp     3b
4:      check_eq ecx, 6
        # Flags across jumps and a call, read behind a store.
        stc
        jmp     1f
2:      mov     [SCRATCH], eax
        jmp     3f
1:      mov     ebx, [SCRATCH]
        call    2b
3:      setc    cl
        pop     rdx
        check_eq cl, 1
        # A loop that only jumps close, broken by the timer.
        set_gate 0x40, tick
        mov     al, 0xff
        out     0x21, al
        out     0xa1, al
        mov     edi, LAPIC
        mov     dword ptr [rdi + 0xf0], 0x1ff
        mov     dword ptr [rdi + 0x3e0], 0xb
        mov     dword ptr [rdi + 0x320], 0x40
        mov     dword ptr [rdi + 0x380], 100000
        xor     ebx, ebx
        sti
        jmp     2f
1:      test    ebx, ebx
        jnz     4f
        jz      3f
        fail
2:      jmp     1b
3:      jmp     2b
4:      cli
        check_eq ebx, 1
        done

tick:   inc     ebx
        mov     dword ptr [rdi + 0xb0], 0
        iretq
