# What a function does with the flags of its caller, while its first instruction is patched: it overwrites them all, lets them
# all through, or all but the carry. The caller stores to memory between what makes the flags and the call or jump.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set DATA, 0x300000
.set ROUNDS, 300

# After the patch, makes CF=1, ZF=0, SF=1 and goes to the function; EAX is what it saw: CF | ZF << 8 | SF << 16.
.macro round patch:req, by:req, want:req
        mov     word ptr [function], \patch
        lea     rax, [call_it]
        .ifc \by, jmp
        lea     rax, [jump_to_it]
        .endif
        call    rax
        check_eq ecx, \want
.endm

.globl start
start:  begin_user
        mov     r13d, DATA
        mov     r12d, ROUNDS
1:      round   0xd231, call, 0x00100           # XOR EDX,EDX
        round   0xd289, call, 0x10001           # MOV EDX,EDX
        round   0xc2ff, call, 0x00001           # INC EDX (EDX is 1): all but CF
        round   0xd231, jmp, 0x00100
        round   0xc2ff, jmp, 0x00001
        round   0xd289, jmp, 0x10001
        round   0xf890, call, 0x10000           # NOP, CLC: CF only
        round   0xd231, call, 0x00100
        round   0xf890, jmp, 0x10000
        dec     r12d
        jnz     1b
        done

call_it:
        mov     edx, 1
        mov     eax, 1
        sub     eax, 2
        mov     [r13], rax
        call    function
        ret
jump_to_it:
        mov     edx, 1
        mov     eax, 1
        sub     eax, 2
        mov     [r13 + 8], rax
        jmp     function
        .balign 64
function:
        xor     edx, edx
        setc    cl
        setz    ch
        sets    al
        movzx   eax, al
        movzx   ecx, cx
        shl     eax, 16
        or      ecx, eax
        ret
