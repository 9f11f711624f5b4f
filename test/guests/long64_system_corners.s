# Corners of system instructions: INVPCID's reserved bits whatever the type, registers that do not exist are #UD at any privilege,
# addresses in MSRs are canonical, IRET to a bad frame changes nothing.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no INVPCID
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.macro faults vector:req, insn:vararg
        catch   7774f
7773:   \insn
        fail
7774:   check_caught \vector, 0, 7773b
.endm
.macro refuses index:req
        mov     ecx, \index
        xor     eax, eax
        mov     edx, 0x8000
        faults  13, wrmsr
.endm
.globl start
start:  need_cpuid 7, 0, ebx, 10
        install_idt
        load_tss
        mov     ebx, SCRATCH
        mov     qword ptr [rbx], 0x1000
        mov     qword ptr [rbx + 8], 0
        xor     eax, eax
1:      faults  13, invpcid rax, [rbx]
        inc     eax
        cmp     eax, 4
        jb      1b
        mov     qword ptr [rbx], 0
        faults  13, invpcid rax, [rbx]          # type 4
        mov     eax, 2
        invpcid rax, [rbx]
        faults  6, .byte 0x0f, 0x20, 0xc8       # mov rax, cr1
        faults  6, .byte 0x0f, 0x22, 0xe8       # mov cr5, rax
        faults  6, .byte 0x44, 0x0f, 0x21, 0xc0 # mov rax, dr8
        refuses 0xc0000082
        refuses 0xc0000083
        refuses 0xc0000100
        refuses 0xc0000101
        refuses 0xc0000102
        refuses 0x175
        refuses 0x176
        catch0  2f
        enter_ring3 3f
        .set in_user, 1
3:      faults  6, .byte 0x0f, 0x20, 0xc8
        faults  6, .byte 0x0f, 0x22, 0xf8       # mov cr7, rax
        faults  6, .byte 0x44, 0x0f, 0x23, 0xf8 # mov dr15, rax
        faults  13, mov rax, cr0
        faults  13, mov rax, dr0
        catch0  2f
        ud2
        .set in_user, 0
2:      done
