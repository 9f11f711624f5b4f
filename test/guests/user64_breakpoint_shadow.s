# An instruction breakpoint on the instruction behind MOV SS or POP SS does not trigger; on the one behind that it does, and
# behind another segment register too.
#! start:  long64
#! expect: done
#! kvm-differs: AMD processors trigger it, where the manuals let it be held off
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  install_idt
        load_tss
        lea     rax, [shadowed]
        mov     dr0, rax
        lea     rax, [behind]
        mov     dr1, rax
        lea     rax, [plain]
        mov     dr2, rax
        mov     eax, 0x2a | 0x400
        mov     dr7, rax
        enter_ring3 1f
1:      .set in_user, 1
        mov     eax, USERDATA
        xor     ebx, ebx
        mov     ecx, 3
2:      catch   3f
        mov     ss, ax
shadowed: inc   ebx
behind: nop
        fail
3:      check_caught 1, 0, behind
        dec     ecx
        jnz     2b
        check_eq ebx, 3
        catch   4f
        mov     es, ax
plain:  nop
        fail
4:      check_caught 1, 0, plain
        done
