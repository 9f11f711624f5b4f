// Entry of the worker that hosts one machine's devices: builds it from the plan, then serves the handle's requests until it goes.

import { type Plugin, RingzeroError } from "@ringzero/api";
import { parentPort, workerData } from "node:worker_threads";
import { composeMachine } from "../composition.js";
import { pluginFromModule } from "../registry/plugin-module.js";
import type { MachineHost, MachinePlan, PluginLink } from "./machine-plan.js";
import { type FromWorker, type Request, toWire } from "./wire.js";

if (!parentPort) throw new Error("worker-main is the entry of a worker");
const port = parentPort;

function post(message: FromWorker): void {
  const transfer = "event" in message && message.event.kind === "console" ? [message.event.bytes.buffer as ArrayBuffer] : [];
  port.postMessage(message, transfer);
}

async function plugins(link: PluginLink): Promise<Plugin> {
  if (!link.module) throw new RingzeroError("PLUGIN_LOAD_FAILED", `plugin ${link.name} was given as an object; it works with host "inline" only`);
  return pluginFromModule(link.module, link.kind, link.name);
}

function call(host: MachineHost, { call: name, args }: Request): Promise<void> | void {
  return (host[name] as (...args: unknown[]) => Promise<void> | void)(...args);
}

async function serve(host: MachineHost, request: Request): Promise<void> {
  try {
    await call(host, request);
    post({ id: request.id, error: null });
  } catch (error) {
    post({ id: request.id, error: toWire(error) });
  }
  if (request.call === "dispose") port.close();
}

try {
  const host = await composeMachine(workerData as MachinePlan, { plugins, emit: (event) => post({ event }) });
  port.on("message", (request: Request) => void serve(host, request));
  post({ id: 0, error: null });
} catch (error) {
  post({ id: 0, error: toWire(error) });
}
