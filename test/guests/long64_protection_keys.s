# Protection keys: RDPKRU and WRPKRU, which accesses of ring 0 and ring 3 they forbid and with what error code, that a change
# acts at once on pages that were in use, and PKRU as component 9 of XSAVE, XSAVEC and XRSTOR.
#! start:  long64
#! expect: done
#! cpu:    host+pku
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.set KEY5, 5 << 27              # in the high half of an entry
.set AD5, 1 << 10
.set WD5, 2 << 10
.set AT, 0x201000

# PKRU. Spoils RAX, RCX, RDX.
.macro pkru value:req
        mov     eax, \value
        xor     ecx, ecx
        xor     edx, edx
        wrpkru
.endm
.macro check_denied error:req, instruction:vararg
        catch   7773f
7774:   \instruction
        fail
7773:   check_caught 14, \error, 7774b
        check_eq "qword ptr [caught_cr2]", AT
.endm

.globl start
start:  need_cpuid 7, 0, ecx, 3
        install_idt
        load_tss
        small_pages
        xor     ecx, ecx
        catch   1f
2:      rdpkru
        fail
1:      check_caught 6, 0, 2b
        mov     rax, cr4
        bts     rax, 22
        mov     cr4, rax
        need_cpuid 7, 0, ecx, 4                 # OSPKE
        xor     ecx, ecx
        mov     edx, -1
        rdpkru
        check_eq rax, 0
        check_eq rdx, 0
        inc     ecx
        catch   1f
2:      rdpkru
        fail
1:      check_caught 13, 0, 2b
        xor     ecx, ecx
        mov     edx, 1
        catch   1f
2:      wrpkru
        fail
1:      check_caught 13, 0, 2b

        map     AT, AT | P | W | U, KEY5
        mov     byte ptr [AT + 16], 0xc3
        mov     esi, [AT]                       # in use for reading and writing
        mov     [AT], esi
        pkru    AD5
        check_denied 0x21, mov esi, [AT]
        check_denied 0x23, mov [AT], esi
        check_denied 0x23, inc dword ptr [AT]
        mov     ebx, AT + 16
        call    rbx                             # fetches are free
        mov     edi, SCRATCH
        mov     esi, AT
        mov     ecx, 4
        check_denied 0x21, rep movsb
        check_eq ecx, 4
        pkru    WD5
        mov     esi, [AT]
        check_denied 0x23, mov [AT], esi
        mov     rax, cr0
        btr     rax, 16
        mov     cr0, rax
        mov     [AT], esi                       # the supervisor without CR0.WP
        bts     rax, 16
        mov     cr0, rax
        check_denied 0x23, mov [AT], esi
        pkru    AD5 | WD5
        mov     rax, cr0
        btr     rax, 16
        mov     cr0, rax
        check_denied 0x21, mov esi, [AT]
        bts     rax, 16
        mov     cr0, rax
        pkru    0xfffff3fc                      # every key but this and 0
        mov     esi, [AT]
        mov     [AT], esi
        # A supervisor page has no key. An absent one is an absent one; one that is read-only besides says both.
        pkru    AD5
        map     AT, AT | P | W, KEY5
        mov     [AT], esi
        map     AT, AT | W | U, KEY5
        check_denied 0, mov esi, [AT]
        map     AT, AT | P | U, KEY5
        check_denied 0x23, mov [AT], esi
        map     AT, AT | P | W | U, KEY5
        # Back and forth inside a loop, whose accesses are the same instructions.
        mov     ebx, 100
        xor     ebp, ebp
3:      mov     eax, ebx
        and     eax, 1
        shl     eax, 10
        xor     ecx, ecx
        xor     edx, edx
        wrpkru
        catch   4f
        add     dword ptr [AT + 8], 1
        inc     ebp
4:      dec     ebx
        jnz     3b
        check_eq ebp, 50

        # Ring 3.
        pkru    AD5
        enter_ring3 5f
5:      .set in_user, 1
        check_denied 0x25, mov esi, [AT]
        check_denied 0x27, mov [AT], esi
        call    AT + 16
        pkru    WD5
        mov     esi, [AT]
        check_denied 0x27, mov [AT], esi
        pkru    0
        mov     [AT], esi
        .set in_user, 0
        catch0  6f
        ud2
6:
        # Component 9.
        mov     rax, cr4
        bts     rax, 18
        mov     cr4, rax
        mov     eax, 0xd
        xor     ecx, ecx
        cpuid
        bt      eax, 9
        check_if c
        mov     ebp, ecx                        # size with everything on
        mov     eax, 0xd
        mov     ecx, 9
        cpuid
        check_eq eax, 8
        check_eq ecx, 0
        lea     eax, [rbx + 8]
        cmp     eax, ebp
        check_if be
        mov     ebp, ebx                        # its offset
        xor     ecx, ecx
        xor     edx, edx
        mov     eax, 0x203
        xsetbv
        mov     eax, 0xd
        cpuid
        lea     eax, [rbp + 8]
        check_eq ebx, eax
        pkru    WD5 | 0x10
        mov     edi, SCRATCH
        mov     qword ptr [rdi + 512], 0
        mov     eax, 0x200
        xor     edx, edx
        xsave   [rdi]
        check_eq "qword ptr [rdi + 512]", 0x200
        check_eq "dword ptr [rdi + rbp]", (WD5 | 0x10)
        mov     dword ptr [rdi + rbp], AD5
        mov     esi, [AT]
        mov     eax, 0x200
        xrstor  [rdi]
        check_denied 0x21, mov esi, [AT]
        mov     qword ptr [rdi + 512], 0        # not there: its initial value
        mov     eax, 0x200
        xrstor  [rdi]
        mov     esi, [AT]
        xor     ecx, ecx
        rdpkru
        check_eq eax, 0
        mov     eax, 0x200
        xor     edx, edx
        xsave   [rdi]
        mov     ecx, 1
        mov     eax, 0xd
        cpuid
        bt      eax, 1
        jnc     7f
        pkru    WD5
        mov     edi, SCRATCH
        mov     eax, 0x200
        xsavec  [rdi]
        mov     rax, 0x8000000000000200
        check_eq "qword ptr [rdi + 520]", rax
        check_eq "qword ptr [rdi + 512]", 0x200
        check_eq "dword ptr [rdi + 576]", WD5
        mov     dword ptr [rdi + 576], AD5
        mov     eax, 0x200
        xrstor  [rdi]
        check_denied 0x21, mov esi, [AT]
        mov     ecx, 1
        xgetbv
        bt      eax, 9
        check_if c
7:      # Off again: no key counts.
        mov     rax, cr4
        btr     rax, 22
        mov     cr4, rax
        mov     esi, [AT]
        done
