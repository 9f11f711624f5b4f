// Packages of Debian that make a small userland: an interpreter, a C compiler, a database.

export const PYTHON_PACKAGES: readonly string[] = [
  "python3.11-minimal",
  "libpython3.11-minimal",
  "libpython3.11-stdlib",
  "libc6",
  "libexpat1",
  "libssl3",
  "zlib1g",
  "libbz2-1.0",
  "liblzma5",
  "libffi8",
  "libcrypt1",
  "libuuid1",
  "libgcc-s1",
  "libsqlite3-0",
];

export const COMPILER_PACKAGES: readonly string[] = [
  "gcc-12",
  "cpp-12",
  "libgcc-12-dev",
  "libgcc-s1",
  "binutils-x86-64-linux-gnu",
  "binutils",
  "libbinutils",
  "libctf0",
  "libjansson4",
  "libc6",
  "libc6-dev",
  "linux-libc-dev",
  "libgmp10",
  "libisl23",
  "libmpc3",
  "libmpfr6",
  "libzstd1",
  "zlib1g",
];

export const JAVA_PACKAGES: readonly string[] = ["openjdk-17-jre-headless", "libc6", "libgcc-s1", "libstdc++6", "zlib1g"];
