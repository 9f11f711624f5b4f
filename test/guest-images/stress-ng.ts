// Debian's stress-ng and the libraries that it is linked with; and which of its stressors check their results and end well in a small
// guest without disk and network.

export const STRESS_NG_PACKAGES: readonly string[] = [
  "stress-ng",
  "libc6",
  "libgcc-s1",
  "libegl1",
  "libgles2",
  "libglvnd0",
  "libgbm1",
  "libdrm2",
  "libwayland-server0",
  "libexpat1",
  "libffi8",
  "libipsec-mb1",
  "libjudydebian1",
  "libapparmor1",
  "libbsd0",
  "libmd0",
  "libcrypt1",
  "libjpeg62-turbo",
  "libkmod2",
  "libzstd1",
  "liblzma5",
  "libssl3",
  "libsctp1",
  "libxxhash0",
  "zlib1g",
];

/** By subject, for the messages of tests. */
export const stressors: Readonly<Record<string, readonly string[]>> = {
  "integers and branches": "branch funccall funcret goto longjmp switch hash bsearch hsearch heapsort radixsort qsort tree".split(
    " ",
  ),
  "floating point and vectors": "cpu fp matrix vecmath vecfp vecshuf vecwide str wcs memcpy zlib".split(" "),
  memory:
    "vm malloc bigheap stack stackmmap mmap mmapfork mmapfixed mremap mprotect msync memfd madvise vm-rw vm-segv userfaultfd".split(
      " ",
    ),
  "processes, signals and faults":
    "fork vfork clone exec context sigfpe sigsegv sigtrap signest sigq fp-error bad-altstack opcode nop priv-instr".split(" "),
  "threads and waiting":
    "pthread futex mutex sem sem-sysv pipe pipeherd eventfd epoll poll switch timer timerfd hrtimers nanosleep itimer".split(" "),
  "atomic and misaligned access": "atomic cacheline lockbus misaligned dekker peterson regs membarrier rseq".split(" "),
};

/** Bounds on what each stressor takes: by default several of them take half of the guest's memory each. */
export const STRESS_NG_BOUNDS = ["vm", "mmap", "mremap", "memfd", "malloc", "msync", "vm-rw", "userfaultfd"]
  .map((name) => `--${name}-bytes 32m`)
  .join(" ");
