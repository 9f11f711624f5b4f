// Entry of the worker that hosts one machine's devices: loads what it is told to beforehand, builds the machine from its plan, then serves the
// handle's requests until it goes.

import { type Plugin, RingzeroError } from "@ringzero/api";
import { parentPort } from "node:worker_threads";
import { composeMachine } from "../composition.js";
import { pluginFromModule } from "../registry/plugin-module.js";
import type { MachineHost, MachinePlan, PluginLink } from "./machine-plan.js";
import { type FromWorker, NO_ANSWER, type Request, toWire } from "./wire.js";

if (!parentPort) throw new Error("worker-main is the entry of a worker");
const port = parentPort;

function post(message: FromWorker): void {
  const transfer = "event" in message && message.event.kind === "console" ? [message.event.bytes.buffer as ArrayBuffer] : [];
  port.postMessage(message, transfer);
}

async function plugins(link: PluginLink): Promise<Plugin> {
  if (!link.module)
    throw new RingzeroError("PLUGIN_LOAD_FAILED", `plugin ${link.name} was given as an object; it works with host "inline" only`);
  return pluginFromModule(link.module, link.kind, link.name);
}

let host: MachineHost | null = null;

/** What fails here fails again, and is told, when a machine needs it. */
async function prepare(links: readonly PluginLink[]): Promise<void> {
  await Promise.allSettled(links.map(async (link) => (await plugins(link)).prepare?.()));
}

async function perform({ call, args }: Request): Promise<unknown> {
  if (call === "prepare") return prepare(args[0] as readonly PluginLink[]);
  if (call === "build") {
    host = await composeMachine(args[0] as MachinePlan, { plugins, emit: (event) => post({ event }) });
    return undefined;
  }
  if (!host) throw new RingzeroError("VM_NOT_OPEN", "the machine is not made yet");
  return (host[call] as (...args: readonly unknown[]) => unknown)(...args);
}

port.on("message", async (request: Request) => {
  try {
    const value = await perform(request);
    if (request.id !== NO_ANSWER) post({ id: request.id, error: null, value });
  } catch (error) {
    post({ id: request.id, error: toWire(error) });
  }
  if (request.call === "dispose") port.close();
});
