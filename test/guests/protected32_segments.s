# 32-bit segmentation: bases, byte and page limits, expand-down, read-only and execute-only segments, accesses that straddle
# the limit, null selectors; #GP against #SS.
#! start:  protected32
#! expect: done
.include "guest.inc"
.code32
.include "catch32.inc"
.globl start
start:  install_idt
        descriptor 0x48, 0x100000, 0xfff, 0x493 # base 1 MiB, 4 KiB, byte-granular
        descriptor 0x50, 0x100000, 0x0, 0xc93   # the same by one page
        descriptor 0x58, 0x100000, 0xfff, 0x497 # expand-down: above fffh
        descriptor 0x60, 0x100000, 0xfff, 0x491 # read-only
        descriptor 0x68, 0, 0xfffff, 0xc99      # execute-only code
        descriptor 0x70, 0, 0xfffff, 0xc13      # not present
        mov     eax, 0x48
        mov     fs, ax
        mov     dword ptr [0x100010], 0x1234
        check_eq "dword ptr fs:[0x10]", 0x1234
        mov     eax, fs:[0xffc]
        catch   1f
2:      mov     eax, fs:[0xffd]                 # the last byte is outside
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      mov     byte ptr fs:[0x1000], al
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      mov     eax, fs:[0xffffffff]            # wraps
        fail
1:      check_caught 13, 0, 2b
        mov     eax, 0x50
        mov     fs, ax
        mov     al, fs:[0xfff]
        catch   1f
2:      mov     al, fs:[0x1000]
        fail
1:      check_caught 13, 0, 2b
        mov     eax, 0x58
        mov     gs, ax
        mov     dword ptr gs:[0x1000], 0x77
        check_eq "dword ptr [0x101000]", 0x77
        catch   1f
2:      mov     al, gs:[0xfff]
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      mov     eax, gs:[0xffd]
        fail
1:      check_caught 13, 0, 2b
        mov     eax, 0x60
        mov     fs, ax
        mov     eax, fs:[0x10]
        check_eq eax, 0x1234
        catch   1f
2:      mov     fs:[0x10], eax
        fail
1:      check_caught 13, 0, 2b
        mov     eax, 0x68
        catch   1f
2:      mov     es, ax
        fail
1:      check_caught 13, 0x68, 2b
        mov     eax, 0x70
        catch   1f
2:      mov     es, ax
        fail
1:      check_caught 11, 0x70, 2b
        catch   1f
2:      mov     ss, ax
        fail
1:      check_caught 12, 0x70, 2b
        xor     eax, eax
        mov     es, ax                          # null: loading is fine, using is not
        catch   1f
2:      mov     al, es:[0]
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      mov     ss, ax
        fail
1:      check_caught 13, 0, 2b
        kvm_differs 3f                          # its emulator pushes the frame at the wrong place
        # A stack segment with a limit: #SS.
        mov     eax, 0x48
        mov     ebx, esp
        mov     ss, ax
        mov     esp, 0x800
        push    0x5678
        check_eq "dword ptr [0x1007fc]", 0x5678
        mov     ebp, 0xffe
        catch0  1f
        mov     ds:[catch_rsp], ebx
2:      mov     eax, [ebp]
        fail
1:      mov     ax, DATA
        mov     ss, ax
        mov     esp, ebx
        check_caught 12, 0, 2b
3:      # Strings use DS and ES with their own bases.
        mov     eax, 0x48
        mov     es, ax
        lea     esi, [text]
        mov     edi, 0x100
        mov     ecx, 4
        rep movsb
        check_eq "dword ptr [0x100100]", 0x64636261
        mov     edi, 0xffe
        mov     ecx, 4
        catch   1f
2:      rep stosb
        fail
1:      check_caught 13, 0, 2b
        check_eq ecx, 2
        check_eq edi, 0x1000
        done
text:   .ascii "abcd"
