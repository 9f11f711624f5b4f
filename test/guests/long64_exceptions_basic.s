# The exception catcher itself: #UD, #DE, #GP with the right vector, error code and RIP.
#! start:  long64
#! expect: rcx=7
.include "guest.inc"
.include "catch64.inc"
.globl start
start:
        install_idt
        mov     ecx, 7
        catch   1f
        ud2
1:      check_caught 6
        xor     eax, eax
        xor     edx, edx
        catch   1f
        div     ecx             # 0 / 7
        xor     ecx, ecx
3:      div     ecx
1:      check_caught 0, 0, 3b
        mov     ecx, 7
        mov     rax, 0x800000000000
        catch   1f
4:      mov     rbx, [rax]
1:      check_caught 13, 0, 4b
        catch   1f
5:      mov     fs, cx          # selector 7: LDT, none loaded
1:      check_caught 13, 4, 5b
        done
