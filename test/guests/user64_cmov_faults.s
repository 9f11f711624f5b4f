# CMOV reads its memory operand whether or not it moves: a fault on a condition that is false; SETcc and others as well.
#! start:  long64
#! expect: rbx=0x1234
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.globl start
start:  small_pages
        map     0x200000, 0
        begin_user
        mov     ebx, 0x1234
        xor     eax, eax                        # ZF
        catch   1f
2:      cmovne  rbx, [0x200008]
        fail
1:      check_caught 14, 4, 2b
        check_eq "qword ptr [caught_cr2]", 0x200008
        catch   1f
2:      cmove   ebx, [0x200ffe]
        fail
1:      check_caught 14, 4, 2b
        check_eq "qword ptr [caught_cr2]", 0x200ffe
        set_flags ZF
        catch   1f
2:      setne   byte ptr [0x200000]
        fail
1:      check_caught 14, 6, 2b
        check_flags ZF, ZF
        mov     ecx, 64
        catch   1f
2:      shl     qword ptr [0x200000], cl        # count 0 touches its operand all the same
        fail
1:      check_eq "dword ptr [caught_vector]", 14
        catch   1f
2:      cmpxchg [0x200000], ecx                 # reported as a write
        fail
1:      check_caught 14, 6, 2b
        done
