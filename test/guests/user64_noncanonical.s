# Addresses that are not canonical: #GP through most registers, #SS through RSP and RBP, error code 0; jumps and
# returns there; and the two ends of the hole.
#! start:  long64
#! expect: rsp=0x7c00
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     rax, 0x800000000000
        catch   1f
2:      mov     rcx, [rax]
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      mov     rcx, [rax - 4]                  # the last bytes before the hole and the first in it
        fail
1:      check_ne "dword ptr [caught_vector]", 0xffffffff
        mov     rbp, rax
        catch   1f
2:      mov     rcx, [rbp]
        fail
1:      check_caught 12, 0, 2b
        catch   1f
2:      add     qword ptr [rbp + rcx], 1
        fail
1:      check_caught 12, 0, 2b
        mov     rdx, 0xffff7fffffffffff
        catch   1f
2:      inc     byte ptr [rdx]
        fail
1:      check_caught 13, 0, 2b
# Branches fault before they do anything: at their own address, with nothing pushed, popped or counted.
        catch   1f
2:      jmp     rax
        fail
1:      check_caught 13, 0, 2b
        mov     [SCRATCH], rax
        catch   1f
2:      jmp     [SCRATCH]
        fail
1:      check_caught 13, 0, 2b
        mov     qword ptr [0x7bf8], 0x55
        catch   1f
2:      call    rax
        fail
1:      check_caught 13, 0, 2b
        check_eq rsp, 0x7c00
        check_eq "qword ptr [0x7bf8]", 0x55
        catch   1f
2:      call    [SCRATCH]
        fail
1:      check_caught 13, 0, 2b
        check_eq rsp, 0x7c00
        check_eq "qword ptr [0x7bf8]", 0x55
        push    rax
        stc
        catch   1f
2:      ret
        fail
1:      check_caught 13, 0, 2b
        check_eq rsp, 0x7bf8
        test    dword ptr [caught_rflags], 1
        check_if nz
        catch   1f
2:      ret     16
        fail
1:      check_caught 13, 0, 2b
        check_eq rsp, 0x7bf8
        mov     rsp, 0x7c00
        lea     rsp, [rax + 8]
        catch   1f
2:      push    rcx
        fail
1:      mov     rsp, 0x7c00
        check_caught 12, 0, 2b
        mov     rsi, rax
        mov     edi, SCRATCH
        mov     ecx, 3
        catch   1f
2:      rep movsb
        fail
1:      check_caught 13, 0, 2b
        check_eq ecx, 3
        catch   1f
2:      movaps  xmm0, [rax]
        fail
1:      check_caught 13, 0, 2b
        # Behind pops of the same run, and of addresses whose slot in a jump table is another block's.
        mov     ecx, 40
        lea     rbx, [6f]
3:      push    rbx
        push    rcx
        pop     rcx
        ret
6:      check_eq rsp, 0x7c00
        dec     ecx
        jnz     3b
        btc     rbx, 47
        catch   1f
        push    rbx
        push    7
        pop     rdx
        stc
2:      ret
        fail
1:      check_caught 13, 0, 2b
        check_eq edx, 7
        check_eq rsp, 0x7bf8
        check_eq "qword ptr [rsp]", rbx
        test    dword ptr [caught_rflags], 1
        check_if nz
        mov     rsp, 0x7c00
        catch   1f
2:      jmp     rbx
        fail
1:      check_caught 13, 0, 2b
        check_eq rsp, 0x7c00
        prefetchnta [rax]                       # hints never fault
        nop     dword ptr [rax]
        lea     rcx, [rax + 1]
        done
