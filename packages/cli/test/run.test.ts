// `ringzero run` from start to exit status, as a process of its own, on the fake backend.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FAKE_POWER, type FakeStep } from "@ringzero/testing";
import { ended, runCommand, Scratch, said, startCommand } from "./scripted-run.js";

const print = (text: string): FakeStep => ({ do: "print", text });
const POWER_OFF: FakeStep = { do: "out", port: FAKE_POWER.off, value: 1 };
const SPIN: FakeStep = { do: "spin" };

describe("ringzero run", () => {
  let scratch: Scratch;
  beforeEach(() => {
    scratch = new Scratch();
  });
  afterEach(() => scratch.remove());

  const fake = (steps: readonly FakeStep[], more?: Readonly<Record<string, unknown>>): string[] => [
    "run",
    "--backend",
    "fake",
    "--spec",
    scratch.spec(steps, more),
  ];
  const events = (path: string): Record<string, unknown>[] =>
    readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  describe("its exit status", () => {
    it("is 0 when the guest powers off, with its output on stdout and nothing on stderr", async () => {
      assert.deepEqual(await runCommand(...fake([print("hello\r\n"), POWER_OFF])), {
        status: 0,
        signal: null,
        stdout: "hello\r\n",
        stderr: "",
      });
    });
    for (const code of [0, 3, 124, 255]) {
      it(`is the guest's own code ${code}, through debug-exit`, async () => {
        const { status } = await runCommand(...fake([{ do: "out", port: 0xf4, value: code }]), "--device", "debug-exit");
        assert.equal(status, code);
      });
    }
    it("is 124 when the time is over, which the last words say", async () => {
      const { status, stderr } = await runCommand(...fake([SPIN]), "--timeout", "0.2");
      assert.equal(status, 124);
      assert.match(stderr, /the time was over: stopped after 0\.2 s/);
    });
    it("is 127 when the guest triple-faults", async () => {
      const { status, stderr } = await runCommand(...fake([{ do: "triple-fault" }]));
      assert.equal(status, 127);
      assert.match(stderr, /triple-faulted on processor 0/);
    });
    it("is 126 when the engine crashes, with its flight recorder on stderr", async () => {
      const { status, stderr } = await runCommand(...fake([print("x"), { do: "crash", reason: "a bug of ours" }]));
      assert.equal(status, 126);
      assert.match(stderr, /flight recorder:\n.*\n.*the engine crashed: .*a bug of ours/s);
    });
    it("is 1 when a device fails", async () => {
      const { status, stderr } = await runCommand(...fake([{ do: "out", port: FAKE_POWER.throw, value: 7 }]));
      assert.equal(status, 1);
      assert.match(stderr, /the device power failed: .*throw with 7/s);
    });
    it("is 125 when the backend asked for is not there", async () => {
      const { status, stderr } = await runCommand("run", "--backend", "whpx", "--spec", scratch.spec([POWER_OFF]));
      assert.equal(status, 125);
      assert.match(stderr, /--backend: there is no backend whpx/);
    });
  });

  describe("what is wrong", () => {
    it("Every problem is printed, each with where it was written, and nothing is started", async () => {
      const { status, stderr, stdout } = await runCommand(
        ...fake([print("started"), POWER_OFF]),
        "--cpus",
        "0",
        "--memory",
        "3",
        "--device",
        "debug-exti",
        "--disk",
        "qcow2:path=x",
        "--net",
        "user",
        "--timeout",
        "never",
      );
      assert.equal(status, 2);
      assert.equal(stdout, "");
      for (const line of [
        /--cpus: must be >= 1, not 0/,
        /--memory: must be from 2MiB/,
        /--device \(number 1\): .*debug-exti; did you mean debug-exit\?/,
        /--disk: .*this version has no/,
        /--net: .*this version has no/,
        /--timeout: "never"/,
        /nothing was started: 6 problems/,
      ]) {
        assert.match(stderr, line);
      }
    });
    it("An unknown option of a device names the option and the known one", async () => {
      const { status, stderr } = await runCommand(...fake([POWER_OFF]), "--device", "debug-exit:prot=1");
      assert.equal(status, 2);
      assert.match(stderr, /--device \(number 1\): there is no field prot; did you mean port/);
    });
    it("A boot file that is bad inside is named with its field, and nothing is started", async () => {
      const { status, stderr } = await runCommand(
        ...fake([POWER_OFF]),
        "--firmware",
        scratch.file("odd.bin", new Uint8Array(4097)),
      );
      assert.equal(status, 2);
      assert.match(stderr, /boot\.image: .*odd\.bin: has 4097 bytes/);
    });
    it("A console or events file that cannot be made is a problem", async () => {
      const { status, stderr } = await runCommand(
        ...fake([POWER_OFF]),
        "--console",
        `file:${scratch.folder}/no/where`,
        "--events",
        `${scratch.folder}/no/where`,
      );
      assert.equal(status, 2);
      assert.match(stderr, /--console: .*ENOENT/);
      assert.match(stderr, /--events: .*ENOENT/);
    });
    it("Help for a reader that goes away ends without a stack trace", async () => {
      const child = startCommand(["run", "--help"]);
      const end = ended(child);
      child.stdout!.destroy();
      assert.equal((await end).stderr, "");
    });
    it("With --json problems are one line of JSON", async () => {
      const { status, stderr } = await runCommand(...fake([POWER_OFF]), "--cpus", "0", "--json");
      assert.equal(status, 2);
      const { problems } = JSON.parse(stderr) as { problems: { where: string; code: string }[] };
      assert.deepEqual(
        problems.map(({ where, code }) => [where, code]),
        [["--cpus", "out-of-range"]],
      );
    });
    it("An unknown option and an unknown command are refused", async () => {
      for (const args of [["run", "--frobnicate"], ["frobnicate"], []]) {
        const { status, stderr } = await runCommand(...args);
        assert.equal(status, 2);
        assert.match(stderr, /see ringzero --help/);
      }
    });
  });

  describe("its input and output", () => {
    it("End of input does not stop the machine", async () => {
      const { status, stdout } = await runCommand(...fake([{ do: "sleep", ms: 300 }, print("still here"), POWER_OFF]));
      assert.deepEqual([status, stdout], [0, "still here"]);
    });
    it("Input on a pipe reaches the guest unchanged, Ctrl-A included", async () => {
      const child = startCommand(fake([{ do: "echo-line" }, POWER_OFF]), "pipe");
      child.stdin!.end("a\u0001xb\n");
      const { status, stdout } = await ended(child);
      assert.deepEqual([status, stdout], [0, "a\u0001xb\n"]);
    });
    it("Megabytes of output arrive whole", async () => {
      const { status, stdout } = await runCommand(...fake([{ do: "flood", bytes: 3_000_000 }, POWER_OFF]));
      assert.equal(status, 0);
      assert.equal(stdout.length, 3_000_000);
      const wrong = Buffer.from(stdout, "latin1").findIndex((byte, i) => byte !== i % 251);
      assert.equal(wrong, -1, `byte ${wrong} differs`);
    });
    it("A console file gets the output, and stdout nothing", async () => {
      const path = join(scratch.folder, "console.log");
      const { status, stdout } = await runCommand(...fake([print("to the file"), POWER_OFF]), "--console", `file:${path}`);
      assert.deepEqual([status, stdout, readFileSync(path, "utf8")], [0, "", "to the file"]);
    });
    it("With --console none the output goes nowhere, and the guest does not wait for a reader", async () => {
      const { status, stdout } = await runCommand(...fake([{ do: "flood", bytes: 1_000_000 }, POWER_OFF]), "--console", "none");
      assert.deepEqual([status, stdout], [0, ""]);
    });
    it("When whoever reads the output goes away, the machine stops with 141", async () => {
      const child = startCommand(fake([print("first\n"), { do: "sleep", ms: 300 }, { do: "flood", bytes: 1_000_000 }, SPIN]));
      await said(child.stdout!, "first");
      const end = ended(child);
      child.stdout!.destroy();
      assert.equal((await end).status, 141);
    });
  });

  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    it(`${signal} stops the machine in an orderly way, with ${status}`, async () => {
      const path = join(scratch.folder, "events.jsonl");
      const child = startCommand([...fake([print("up"), SPIN]), "--events", path]);
      await said(child.stdout!, "up");
      const end = ended(child);
      child.kill(signal);
      assert.equal((await end).status, status);
      assert.deepEqual(events(path).at(-1)!["stoppedBy"], signal);
    });
  }

  it("A second signal ends the command at once, when the orderly end takes too long", async () => {
    const child = startCommand(fake([print("up"), { do: "sleep", ms: 50 }, { do: "block", ms: 8000 }]));
    await said(child.stdout!, "up");
    await new Promise((later) => setTimeout(later, 300)); // now the devices' thread is busy
    const sent = Date.now();
    const end = ended(child);
    child.kill("SIGTERM");
    await new Promise((later) => setTimeout(later, 300));
    child.kill("SIGTERM");
    assert.equal((await end).status, 143);
    assert.ok(Date.now() - sent < 5000);
  });

  it("--events writes states and the end, in order, as JSON lines", async () => {
    const path = join(scratch.folder, "events.jsonl");
    await runCommand(...fake([{ do: "out", port: FAKE_POWER.exit, value: 9 }]), "--events", path);
    const lines = events(path);
    assert.deepEqual(
      lines
        .filter(({ event }) => event === "state")
        .map(({ state }) => state)
        .slice(0, 3),
      ["starting", "running", "stopped"],
    );
    const { at, ...last } = lines.at(-1)!;
    assert.deepEqual(last, { event: "exit", reason: "debug-exit", code: 9, exitStatus: 9 });
    assert.ok(Math.abs((at as number) - Date.now()) < 60_000);
  });

  it("--events tells a timeout from a guest that exits with 124", async () => {
    const path = join(scratch.folder, "events.jsonl");
    await runCommand(...fake([SPIN]), "--events", path, "--timeout", "0.1");
    assert.equal(events(path).at(-1)!["reason"], "timeout");
    await runCommand(...fake([{ do: "out", port: FAKE_POWER.exit, value: 124 }]), "--events", path);
    assert.equal(events(path).at(-1)!["reason"], "debug-exit");
  });

  it("--json says how it ended, and --stats what it took", async () => {
    const { stderr } = await runCommand(...fake([print("12345"), POWER_OFF]), "--json", "--stats");
    const { exit, exitStatus, stats } = JSON.parse(stderr) as {
      exit: unknown;
      exitStatus: number;
      stats: Record<string, number>;
    };
    assert.deepEqual(exit, { reason: "powered-off" });
    assert.equal(exitStatus, 0);
    assert.equal(stats["consoleBytesOut"], 5);
    assert.ok(stats["wallMs"]! > 0);
  });

  it("--dry-run prints a specification that --spec takes, and starts nothing", async () => {
    const { status, stdout } = await runCommand(...fake([print("started"), POWER_OFF]), "--cpus", "2", "--dry-run");
    assert.equal(status, 0);
    assert.equal((JSON.parse(stdout) as { cpus: number }).cpus, 2);
    const again = await runCommand("run", "--backend", "fake", "--spec", scratch.file("again.json", stdout));
    assert.deepEqual([again.status, again.stdout], [0, "started"]);
  });
});

describe("ringzero backends", () => {
  it("lists engines with a reason, and as JSON", async () => {
    const { status, stdout } = await runCommand("backends");
    assert.equal(status, 0);
    assert.match(stdout, /^fake +available +a fake always works$/m);
    assert.match(stdout, /^ +can: save and load state, doorbells, MSI$/m);
    assert.match(stdout, /^ +ring 0: not measured: the guest was not done after 250 ms$/m);
    const json = JSON.parse((await runCommand("backends", "--json")).stdout) as {
      name: string;
      available: boolean;
      capabilities: object;
      calibratedInstructionsPerSecond: number | null;
    }[];
    assert.ok(json.some(({ name, available }) => name === "fake" && available));
    const bt = json.find(({ name }) => name === "bt");
    assert.ok(bt);
    if (bt.available) assert.ok(bt.calibratedInstructionsPerSecond! > 1e6, `${bt.calibratedInstructionsPerSecond}`);
  });
});
