// The guest of the fake backend: a list of steps, as plain data, so that it fits into a machine specification and reaches a worker.

/** One thing that the fake guest does. Numbers are plain; `value` of MMIO steps is at most 2^53. */
export type FakeStep =
  /** Write to an I/O port. */
  | { readonly do: "out"; readonly port: number; readonly value: number; readonly size?: 1 | 2 | 4 }
  /** Read an I/O port; with `expect`, any other value crashes the VM and says so. */
  | { readonly do: "in"; readonly port: number; readonly size?: 1 | 2 | 4; readonly expect?: number }
  | { readonly do: "mmio-write"; readonly at: number; readonly value: number; readonly size?: 1 | 2 | 4 | 8 }
  | { readonly do: "mmio-read"; readonly at: number; readonly size?: 1 | 2 | 4 | 8; readonly expect?: number }
  /** Write text to a serial port. */
  | { readonly do: "print"; readonly text: string; readonly uart?: number }
  /** Write `bytes` bytes of a repeating pattern to a serial port, as fast as they are taken. */
  | { readonly do: "flood"; readonly bytes: number; readonly uart?: number }
  /** Wait for a line of input and print it back. */
  | { readonly do: "echo-line"; readonly uart?: number }
  /** Nothing happens for a while. */
  | { readonly do: "sleep"; readonly ms: number }
  /** Keep the devices' thread busy, as a slow device model does. */
  | { readonly do: "block"; readonly ms: number }
  /** Run on without an exit, until paused or stopped. */
  | { readonly do: "spin" }
  /** Check bytes in guest memory; other bytes crash the VM. */
  | { readonly do: "expect-memory"; readonly at: number; readonly bytes: readonly number[] }
  | { readonly do: "triple-fault" }
  /** The engine dies. */
  | { readonly do: "crash"; readonly reason: string };

/** Engine options that make the fake backend run these steps; afterwards the guest spins. */
export function fakeGuest(steps: readonly FakeStep[]): { readonly script: string } {
  return { script: JSON.stringify(steps) };
}
