# #UD: opcodes that 64-bit mode took away, LOCK where it may not stand, undefined encodings; RIP is the first byte.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.macro invalid bytes:vararg
        catch   7774f
7775:   .byte   \bytes
        nop
        nop
        nop
        nop
        nop
        nop
        nop
        nop
        fail
7774:   check_caught 6, 0, 7775b
.endm
.globl start
start:  begin_user
        mov     eax, offset cell
        invalid 0x06                            # PUSH ES
        invalid 0x17                            # POP SS
        invalid 0x27                            # DAA
        invalid 0x37                            # AAA
        invalid 0x60                            # PUSHA
        invalid 0x61
        invalid 0x9a, 0, 0, 0, 0, 0, 0          # far CALL
        invalid 0xea, 0, 0, 0, 0, 0, 0          # far JMP
        invalid 0xc4, 0x00                      # LES, here an incomplete VEX
        invalid 0xce                            # INTO
        invalid 0xd4, 0x0a                      # AAM
        invalid 0xd5, 0x0a
        invalid 0xd6                            # SALC
        invalid 0x82, 0xc0, 0x01                # ADD AL,imm8 by its alias
        invalid 0xf0, 0x01, 0xc0                # LOCK ADD EAX,EAX
        invalid 0xf0, 0x8b, 0x00                # LOCK MOV
        invalid 0xf0, 0x39, 0x00                # LOCK CMP
        invalid 0xf0, 0x90
        invalid 0xf0, 0x0f, 0xa3, 0x00          # LOCK BT
        invalid 0x0f, 0x0b
        invalid 0x0f, 0xff, 0x00                # UD0
        invalid 0x0f, 0xb9, 0x00                # UD1
        invalid 0xff, 0xf8                      # FF /7
        invalid 0xfe, 0xd0                      # FE /2
        invalid 0x8f, 0xc8                      # POP /1
        invalid 0x0f, 0xc7, 0x08 | 0xc0         # CMPXCHG8B of a register
        invalid 0x8d, 0xc0                      # LEA of a register
        invalid 0x0f, 0x0a
        invalid 0x0f, 0x04
        # Prefixes in silly numbers are legal up to 15 bytes; beyond that #GP.
        .byte   0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
        catch   1f
2:      .byte   0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
        fail
1:      check_caught 13, 0, 2b
        # A REX prefix that does not come last is ignored.
        mov     rcx, -1
        .byte   0x48, 0x66, 0xb9, 0x34, 0x12    # MOV CX,1234h
        check_eq rcx, 0xffffffffffff1234
        done
cell:   .quad 0
