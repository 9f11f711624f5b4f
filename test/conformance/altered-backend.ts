// A backend with one thing wrong: another one, with an exit, a method or a claim replaced. For tests of the suite itself.

import type { Backend, BackendCapabilities, BackendReport, ExitHandler, Vm, VmConfig } from "@ringzero/api";

export interface Alteration {
  readonly capabilities?: Partial<BackendCapabilities>;
  /** The handler that the engine calls, in place of the suite's. */
  readonly exits?: (handler: ExitHandler) => ExitHandler;
  readonly config?: (config: VmConfig) => VmConfig;
  /** Members of the VM that are not those of the engine. */
  readonly vm?: (vm: Vm) => Partial<Vm>;
}

/** All members of `target`, but for those in `changes`. */
export function altered<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name) as unknown;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}

export class AlteredBackend implements Backend {
  readonly name: string;

  constructor(
    readonly inner: Backend,
    readonly alteration: Alteration,
  ) {
    this.name = inner.name;
  }

  async probe(): Promise<BackendReport> {
    const report = await this.inner.probe();
    return { ...report, capabilities: { ...report.capabilities, ...this.alteration.capabilities } };
  }

  async createVm(config: VmConfig, handler: ExitHandler): Promise<Vm> {
    const { exits = (same) => same, config: change = (same) => same, vm: members } = this.alteration;
    const vm = await this.inner.createVm(change(config), exits(handler));
    return members ? altered(vm, members(vm)) : vm;
  }
}
