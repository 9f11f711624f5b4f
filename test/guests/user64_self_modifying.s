# Code that changes itself, in all the near forms: the next instruction, an instruction further on in the same block,
# the running instruction's own immediate, a loop that patches its body, another function in the same page and in another
# page, and by REP STOS. x86 needs no flush: the very next fetch sees the new bytes.
#! start:  long64
#! expect: rax=0x64
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        # The next instruction.
        mov     byte ptr [1f + 1], 7
1:      mov     al, 0
        check_eq al, 7
        # A few instructions on.
        xor     ecx, ecx
        mov     dword ptr [2f + 1], 0x1234
        inc     ecx
        inc     ecx
        add     ecx, 3
2:      mov     edx, 0
        check_eq edx, 0x1234
        check_eq ecx, 5
        # The instruction that stores changes its own immediate; it takes effect the next time.
        mov     ebx, 2
3:      mov     dword ptr [rip + 3b + 6], 0x11
        dec     ebx
        jnz     3b
        check_eq "dword ptr [3b + 6]", 0x11
        # A loop whose body is patched every round.
        xor     eax, eax
        mov     ecx, 10
4:      mov     [5f + 1], ecx
5:      .byte   0x05                            # ADD EAX,imm32
        .long   0
        loop    4b
        check_eq eax, 55
        # A function in this page, called, changed, called.
        mov     ecx, 1000
        xor     ebx, ebx
6:      mov     [near_function + 1], ecx
        call    near_function
        add     ebx, eax
        loop    6b
        check_eq ebx, 500500
        # A function in another page.
        mov     ecx, 1000
        xor     ebx, ebx
7:      mov     [far_function + 1], cl
        call    far_function
        add     bl, al
        adc     bh, 0
        loop    7b
        call    far_function
        check_eq al, 1
        # Turn code into NOPs by REP STOS.
        lea     rdi, [8f]
        mov     ecx, 9f - 8f
        mov     al, 0x90
        rep stosb
8:      ud2
        ud2
        int3
9:      # Emit a function where only data was, call it; overwrite it with a shorter one; call it.
        mov     dword ptr [SCRATCH], 0x000064b8  # MOV EAX,64h
        mov     word ptr [SCRATCH + 4], 0xc300
        mov     edx, SCRATCH
        call    rdx
        check_eq eax, 0x64
        mov     dword ptr [SCRATCH], 0xc3c0ff    # INC EAX; RET
        call    rdx
        check_eq eax, 0x65
        mov     byte ptr [SCRATCH + 1], 0xc8     # DEC EAX
        call    rdx
        check_eq eax, 0x64
        # Data right beside code that keeps being written must not disturb it.
        mov     ecx, 1000
10:     mov     [beside], ecx
        loop    10b
        check_eq "dword ptr [beside]", 1
        done
near_function:
        mov     eax, 0
        ret
beside: .long   0
.balign 4096
far_function:
        mov     al, 0
        ret
