// A kernel that patches itself: ftrace turns tens of thousands of call sites on and off, kprobes, static keys, modules come and go, the
// BPF JIT writes programs and runs them (test_bpf checks every one), and the kernel's own tests check the vector code of RAID and crypto.

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { debianPackages } from "../guest-images/debian-packages.js";
import { treeInitramfs } from "../guest-images/file-tree.js";
import { guestImages, LinuxGuest } from "./linux-guest.js";

describe("a kernel that patches itself, on the binary translator", function () {
  this.timeout(300_000);
  let guest: LinuxGuest;

  before(async function () {
    const images = await guestImages();
    const system = await debianPackages({ packages: ["linux-image-amd64*"] });
    if (!images || !system) return this.skip();
    const image = (await readdir(join(system, "boot"))).find((file) => file.startsWith("vmlinuz-"))!;
    const modules = /^usr\/lib\/modules\/[^/]+\/(modules\.|kernel\/(crypto|lib|arch\/x86)\/)/;
    guest = await LinuxGuest.boot(images, {
      kernel: join(system, "boot", image),
      cpuProfile: "x86-64-v3",
      initramfs: [await treeInitramfs(system, (path) => modules.test(path) || path === "lib")],
    });
    await guest.shell("dmesg -n 1; depmod; mkdir -p /t; mount -t tracefs t /t; echo 1 > /proc/sys/net/core/bpf_jit_enable");
  });
  after(() => guest?.dispose());

  it("compiles BPF programs and runs them to the right results", async () => {
    await guest.shell("modprobe test_bpf test_range=0,350", 120_000);
    assert.match(await guest.shell("dmesg | grep -E 'test_bpf: Summary'"), /Summary: 351 PASSED, 0 FAILED, \[\d+\/\d+ JIT'ed\]/);
    await guest.shell("rmmod test_bpf");
  });

  it("turns static keys on and off", () => guest.shell("modprobe test_static_keys; rmmod test_static_keys"));

  it("computes RAID 6 with vector instructions, and crypto that passes the kernel's self-tests", async () => {
    await guest.shell("modprobe raid6_pq; modprobe xor");
    await guest.shell(
      "for m in aesni-intel sha512-ssse3 sha256-ssse3 ghash-clmulni-intel chacha-x86_64 poly1305-x86_64 camellia-aesni-avx2 serpent-avx2 twofish-avx-x86_64 blowfish-x86_64 crct10dif-pclmul; do modprobe $m; done",
      120_000,
    );
    assert.equal(await guest.shell("grep -A2 selftest /proc/crypto | grep -E 'selftest *: [^p]' || true"), "");
    assert.equal(await guest.shell("dmesg | grep -E 'alg: .*fail' || true"), "");
    assert.match(await guest.shell("dmesg | grep 'raid6: using'"), /avx2/);
  });

  it("traces every function, calls and returns, and stops again", async () => {
    for (const tracer of ["function", "nop", "function", "nop"]) await guest.shell(`echo ${tracer} > /t/current_tracer`);
    const seen = await guest.shell(
      "echo function > /t/current_tracer; cat /proc/version > /dev/null; echo nop > /t/current_tracer; echo 1 > /t/options/func_stack_trace; wc -l < /t/available_filter_functions",
    );
    assert.ok(Number(seen) > 20000, seen);
    const graph = await guest.shell(
      "echo vfs_read > /t/set_graph_function; echo function_graph > /t/current_tracer; cat /proc/version > /dev/null; grep -c 'vfs_read()' /t/trace; echo nop > /t/current_tracer",
    );
    assert.ok(Number(graph) >= 1, graph);
  });

  it("puts a probe on a function, in it, and on its return", async () => {
    const counts = await guest.shell(
      "cd /t; echo 'p:one do_sys_openat2' > kprobe_events; echo 'r:two do_sys_openat2 $retval' >> kprobe_events; echo 'p:three vfs_read+0x5' >> kprobe_events; echo 1 > events/kprobes/enable; " +
        "for i in 1 2 3 4 5; do dd if=/proc/version of=/dev/null bs=1 count=1 2> /dev/null; done; echo 0 > events/kprobes/enable; awk '{ print ($2 >= 5) }' kprobe_profile | sort -u; echo > kprobe_events; cd",
    );
    assert.equal(counts, "1\n");
  });

  it("unloads its modules, and has nothing to complain of", async () => {
    await guest.shell("for i in 1 2 3; do for m in $(lsmod | awk 'NR > 1 && $3 == 0 { print $1 }'); do rmmod $m; done; done");
    assert.equal(await guest.shell("dmesg | grep -E 'WARNING|BUG:|Oops|Call Trace|Firmware Bug' || true"), "");
  });
});
