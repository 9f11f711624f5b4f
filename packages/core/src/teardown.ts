// The undoing of a machine, step by step. tsyringe's own dispose() goes oldest first and all at once, so nothing here uses it.

/** Undo steps, last first, each finished before the next begins; one failing does not skip the rest. */
export class Teardown {
  #steps: (() => void | Promise<void>)[] = [];

  defer(step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  /** Runs and forgets every step. @throws AggregateError of all failures, when every step has run */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "teardown failed");
  }
}
