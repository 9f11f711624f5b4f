# CR4.UMIP: SGDT, SIDT, SLDT, STR and SMSW are #GP(0) in ring 3, to memory and to registers, and write nothing; ring 0 keeps
# them, and without the bit so does ring 3.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software runs ring 3 with the host's CR4
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  need_cpuid 7, 0, ecx, 2
        install_idt
        load_tss
        mov     ebx, SCRATCH
        enter_ring3 1f
        .set in_user, 1
1:      sgdt    [rbx]
        check_eq "word ptr [rbx]", 0xff
        check_eq "qword ptr [rbx + 2]", GDT
        str     eax
        check_eq eax, 0xf0
        smsw    eax
        bt      eax, 0
        check_if c
        mov     qword ptr [rbx], -1
        mov     qword ptr [rbx + 8], -1
        catch0  2f
        ud2
        .set in_user, 0
2:      mov     rax, cr4
        bts     eax, 11
        mov     cr4, rax
        enter_ring3 3f
        .set in_user, 1
3:      .macro  refused insn:vararg
        catch   7774f
7773:   \insn
        fail
7774:   check_caught 13, 0, 7773b
        .endm
        refused sgdt [rbx]
        refused sidt [rbx]
        refused sldt word ptr [rbx]
        refused sldt eax
        refused str  word ptr [rbx]
        refused str  rax
        refused smsw word ptr [rbx]
        refused smsw eax
        check_eq "qword ptr [rbx]", -1
        check_eq "qword ptr [rbx + 8]", -1
        catch0  4f
        ud2
        .set in_user, 0
4:      sidt    [rbx]
        check_eq "word ptr [rbx]", 0xfff
        check_eq "qword ptr [rbx + 2]", IDT
        str     word ptr [rbx]
        check_eq "word ptr [rbx]", 0xf0
        sldt    eax
        check_eq eax, 0
        smsw    eax
        bt      eax, 31                         # all of CR0 goes to a register
        check_if c
        done
