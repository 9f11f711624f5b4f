// The console of a machine: waiting, reading, typing, and what a slow reader does to the guest.

import assert from "node:assert/strict";
import { RingzeroError } from "@ringzero/api";
import { FAKE_POWER } from "@ringzero/testing";
import { inlineMachine } from "./fake-machine.js";

const off = { do: "out", port: FAKE_POWER.off, value: 1 } as const;
const coded = (code: string) => (error: unknown) => error instanceof RingzeroError && error.code === code;

async function collect(from: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of from) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("console.waitFor", () => {
  it("finds text that came before the call, in pieces, and uses it up", async () => {
    const { machine } = await inlineMachine([
      { do: "print", text: "log" },
      { do: "print", text: "in: one login: two" },
    ]);
    await machine.start();
    const console0 = machine.console();
    assert.equal((await console0.waitFor(/log(in): /)).at(1), "in");
    assert.equal((await console0.waitFor(/login: (\w+)/)).at(1), "two");
    await assert.rejects(console0.waitFor(/login/, { timeoutMs: 10 }), coded("CONSOLE_TIMEOUT"));
    await machine.dispose();
  });

  it("says in its error what was seen last", async () => {
    const { machine } = await inlineMachine([{ do: "print", text: "Kernel panic" }]);
    await machine.start();
    await assert.rejects(
      machine.console().waitFor(/login/, { timeoutMs: 20 }),
      /\/login\/ did not appear .* within 20 ms; the last text was "Kernel panic"/,
    );
    await machine.dispose();
  });

  it("fails at once when the machine stops", async () => {
    const { machine } = await inlineMachine([{ do: "print", text: "bye" }, off]);
    const wait = machine.console().waitFor(/login/);
    await machine.start();
    await assert.rejects(wait, coded("CONSOLE_CLOSED"));
    await assert.rejects(machine.console().waitFor(/login/), coded("CONSOLE_CLOSED"));
    await machine.dispose();
  });

  it("still finds what the guest wrote last before it powered off", async () => {
    const { machine } = await inlineMachine([{ do: "print", text: "sum 42\n" }, off]);
    const wait = machine.console().waitFor(/sum (\d+)/);
    await machine.start();
    assert.equal((await wait).at(1), "42");
    await machine.exited;
    await machine.dispose();
  });

  it("reads UTF-8 characters that were split between writes", async () => {
    const { machine } = await inlineMachine([
      { do: "flood", bytes: 1 },
      { do: "print", text: "grün" },
    ]);
    const seen: number[] = [];
    machine.on("console", ({ bytes }) => seen.push(...bytes));
    await machine.start();
    await machine.console().waitFor(/grün/);
    assert.deepEqual(seen, [0, ...Buffer.from("grün")]);
    await machine.dispose();
  });
});

describe("a console as a stream", () => {
  it("gives every byte once, in order, however slow the reader, and slows the guest meanwhile", async () => {
    const bytes = 700 * 1024;
    const { machine, vm } = await inlineMachine([{ do: "flood", bytes }, off]);
    let received = 0;
    let wrong = 0;
    let mostUnderWay = 0;
    let arrived = 0;
    machine.on("console", (event) => (arrived += event.bytes.length));
    const reading = (async () => {
      for await (const chunk of machine.console()) {
        mostUnderWay = Math.max(mostUnderWay, arrived - received);
        for (const byte of chunk) if (byte !== received++ % 251) wrong += 1;
        if (received < 300 * 1024) await new Promise((later) => setTimeout(later, 1));
      }
    })();
    await machine.start();
    await reading;
    assert.equal(vm.running, false);
    assert.equal(received, bytes);
    assert.equal(wrong, 0);
    assert.ok(mostUnderWay <= 256 * 1024 + 4096, `${mostUnderWay} bytes were under way`);
    await machine.dispose();
  });

  it("lets the guest run on when nobody reads, and keeps the newest output for later", async () => {
    const bytes = 600 * 1024;
    const { machine } = await inlineMachine([{ do: "flood", bytes }, off]);
    await machine.start();
    await machine.exited;
    const kept = await collect(machine.console());
    assert.ok(kept.length >= 256 * 1024 && kept.length < bytes, `${kept.length} bytes were kept`);
    assert.equal(kept.at(-1), (bytes - 1) % 251);
    await machine.dispose();
  });

  it("has one reader at a time, and a new one when the first broke off", async () => {
    const { machine } = await inlineMachine([
      { do: "print", text: "one" },
      { do: "sleep", ms: 5 },
      { do: "print", text: "two" },
      off,
    ]);
    await machine.start();
    for await (const chunk of machine.console()) {
      assert.equal(Buffer.from(chunk).toString(), "one");
      await assert.rejects(collect(machine.console()), TypeError);
      break;
    }
    assert.equal((await collect(machine.console())).toString(), "two");
    await machine.dispose();
  });
});

describe("console.write", () => {
  it("types text and bytes into the guest, more than its port takes at once", async () => {
    const line = `${"x".repeat(3000)}\n`;
    const { machine } = await inlineMachine([{ do: "sleep", ms: 5 }, { do: "echo-line" }, { do: "echo-line" }, off]);
    await machine.start();
    const echo = collect(machine.console());
    await Promise.all([machine.console().write(line), machine.console().write(Buffer.from(line))]);
    assert.equal((await echo).toString(), line + line);
    await machine.dispose();
  });

  it("is refused while the machine does not run, and ports that are not there too", async () => {
    const { machine } = await inlineMachine([], { serial: 1 });
    await assert.rejects(machine.console().write("x"), coded("VM_NOT_OPEN"));
    assert.throws(() => machine.console(1), RangeError);
    await machine.dispose();
  });
});
