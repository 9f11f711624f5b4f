// The console on a real terminal: raw mode, Ctrl-A X, and the terminal put back. The pseudo-terminal is made by util-linux's `script`.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { COMMAND, Scratch } from "./scripted-run.js";
import { haveTerminal, onTerminal } from "./terminal.js";

/** Shell words that print the terminal's mode as one line. */
const MODE = 'stty -a | tr -s " ;\\n" "\\n" | grep -xE -e "-?(icanon|echo|isig|opost)" | tr "\\n" " "; echo .';

describe("ringzero run on a terminal", () => {
  let scratch: Scratch;
  before(function () {
    if (!haveTerminal()) this.skip();
  });
  beforeEach(() => {
    scratch = new Scratch();
  });
  afterEach(() => scratch.remove());

  const shellOf = (spec: string): string =>
    `${MODE}; "${process.execPath}" "${COMMAND}" run --backend fake --spec "${spec}"; echo "status $?"; ${MODE}`;
  const modes = (output: string): string[] =>
    [...output.matchAll(/^(?:-?(?:icanon|echo|isig|opost) )+\./gm)].map(([line]) => line);

  it("Ctrl-A X stops the machine with 130, and the terminal is as before", async () => {
    const output = await onTerminal(shellOf(scratch.spec([{ do: "print", text: "ready" }, { do: "spin" }])), async (terminal) => {
      await terminal.said("ready");
      terminal.press("\u0001x");
    });
    assert.match(output, /status 130/);
    const [before, after] = modes(output);
    assert.match(before ?? "", /icanon/);
    assert.equal(after, before);
  });

  it("Keys reach the guest at once and unchanged, Ctrl-C and Ctrl-A Ctrl-A included", async () => {
    const steps = [{ do: "print", text: "ready" }, { do: "echo-line" }, { do: "out", port: 0x500, value: 1 }] as const;
    const output = await onTerminal(shellOf(scratch.spec(steps)), async (terminal) => {
      await terminal.said("ready");
      terminal.press("a\u0003b\u0001\u0001c\n");
    });
    assert.ok(output.includes("a\u0003b\u0001c"), JSON.stringify(output));
    assert.match(output, /status 0/);
  });

  it("The guest's line feeds reach the terminal without carriage returns, as full-screen programs need", async () => {
    const steps = [
      { do: "sleep", ms: 500 },
      { do: "print", text: "up\ndown" },
      { do: "out", port: 0x500, value: 1 },
    ] as const;
    const output = await onTerminal(shellOf(scratch.spec(steps)), (terminal) => terminal.said("status"));
    assert.ok(output.includes("up\ndown"), JSON.stringify(output));
  });

  it("Ctrl-A H shows the keys", async () => {
    const output = await onTerminal(shellOf(scratch.spec([{ do: "print", text: "ready" }, { do: "spin" }])), async (terminal) => {
      await terminal.said("ready");
      terminal.press("\u0001h");
      await terminal.said("send Ctrl-A to the guest");
      terminal.press("\u0001x");
    });
    assert.match(output, /Ctrl-A X +stop the machine and leave\r\n/);
  });

  it("Ctrl-A M moves the machine and says so, and the guest goes on", async () => {
    const steps = [{ do: "print", text: "ready" }, { do: "echo-line" }, { do: "out", port: 0x500, value: 1 }] as const;
    const output = await onTerminal(shellOf(scratch.spec(steps)), async (terminal) => {
      await terminal.said("ready");
      terminal.press("\u0001m");
      await terminal.said("stood still");
      terminal.press("still here\n");
      await terminal.said("status");
    });
    assert.match(output, /\rringzero: moved from fake to a fresh engine of fake; the guest stood still for \d+\.\d ms\r\n/);
    assert.match(output, /still here/);
    assert.match(output, /status 0/);
  });

  it("The terminal is put back when the engine crashes, and lines of ours start at the left", async () => {
    const output = await onTerminal(
      shellOf(
        scratch.spec([
          { do: "print", text: "ready" },
          { do: "sleep", ms: 100 },
          { do: "crash", reason: "on purpose" },
        ]),
      ),
      async (terminal) => {
        await terminal.said("status");
      },
    );
    assert.match(output, /status 126/);
    const [before, after] = modes(output);
    assert.equal(after, before);
    assert.match(output, /\nringzero: the engine crashed/);
  });

  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) {
    it(`The terminal is put back after ${signal}`, async () => {
      const events = scratch.file("events.jsonl", "");
      const shell = shellOf(scratch.spec([{ do: "print", text: "ready" }, { do: "spin" }])).replace(
        " run ",
        ` run --events "${events}" --name pty-${process.pid} `,
      );
      const output = await onTerminal(shell, async (terminal) => {
        await terminal.said("ready");
        const found = spawnSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" })
          .stdout.split("\n")
          .find(
            (line) =>
              line.includes(`--name pty-${process.pid}`) &&
              line.includes("ringzero.js") &&
              !line.includes("script -q") &&
              !line.includes("stty"),
          );
        assert.ok(found, "the command is not among the processes");
        process.kill(Number.parseInt(found, 10), signal);
      });
      const [before, after] = modes(output);
      assert.ok(before);
      assert.equal(after, before);
    });
  }
});
