# IRETQ to ring 3 and back by an exception, to compatibility mode, with a 16-bit stack adjustment not needed; the TSS
# stack, its alignment, the frame's contents, and that null data segments stay null. #GP for bad frames.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  install_idt
        load_tss
        catch0  1f
        enter_ring3 3f
3:      ud2
        nop
1:      check_caught 6, 0, 3b
        check_eq "qword ptr [caught_cs]", USER64
        check_eq "qword ptr [caught_ss]", USERDATA
        check_eq "qword ptr [caught_rsp]", 0x7c00
        check_eq "qword ptr [caught_handler_rsp]", (STACK_RING0 - 40)
        mov     ax, cs
        check_eq ax, CODE64
        check_eq rsp, 0x7c00
        # 32-bit compatibility mode in ring 3.
        catch0  1f
        enter_ring3 compat, 2, USER32
.code32
compat: mov     eax, 0x7fffffff
        inc     eax                             # 40h is INC EAX here, REX in 64-bit mode
        dec     eax
        push    0x1234
        pop     ecx
4:      ud2
.code64
1:      check_caught 6, 0, 4b
        check_eq "qword ptr [caught_cs]", USER32
        check_eq rax, 0x7fffffff
        check_eq ecx, 0x1234
        # The same ring: RSP and SS are popped too.
        mov     rax, rsp
        push    DATA
        push    0x7a00
        push    CF | 2
        push    CODE64
        push    offset 5f
        iretq
5:      check_if c
        check_eq rsp, 0x7a00
        mov     rsp, rax
        kvm_differs 7f                          # it does not check the frame
        # Bad frames: #GP with the selector; RSP as before.
        push    DATA
        push    rax
        push    2
        push    DATA                            # not code
        push    offset 5b
        mov     rbx, rsp
        catch   1f
6:      iretq
1:      check_caught 13, DATA, 6b
        check_eq rsp, rbx
        mov     rsp, rax
        push    DATA
        push    rax
        push    2
        push    CODE64
        mov     rcx, 0x800000000000
        push    rcx
        catch0  1f
        iretq
1:      check_eq "dword ptr [caught_vector]", 13
7:      done
