// The machine specification: plain JSON data that the SDK, the command line and any remote interface share.
// The schema is the source; the types follow from it and schema/machine-spec.json is generated from it (a test keeps it current).
// What must stay true: everything here survives JSON, and fields are only ever added.

import { type Static, Type } from "./schema.js";

const Id = Type.String({
  pattern: "^[a-z][a-z0-9-]{0,31}$",
  description: "Name of this part within the machine, for logs and events. Default: the plugin's name and a number.",
});

const PluginOptions = Type.Record(Type.String(), Type.Unknown(), { description: "Checked by the plugin's own schema." });

/** What stands behind a disk or a NIC on the host: a plugin and its options. Functions such as `qcow2()` make these. */
export const PluginRefSchema = Type.Object(
  {
    plugin: Type.String({ minLength: 1, description: "Name of a registered or installed plugin." }),
    options: Type.Optional(PluginOptions),
  },
  { additionalProperties: false },
);

const path = (description: string) =>
  Type.String({ minLength: 1, description: `${description} Relative to the working directory.` });
const append = Type.Optional(Type.String({ description: "Kernel command line." }));

export const LinuxBootSchema = Type.Object(
  {
    kind: Type.Literal("linux"),
    kernel: path("A Linux bzImage."),
    initrd: Type.Optional(Type.Array(path("An initramfs archive."), { description: "Concatenated in this order." })),
    append,
  },
  { additionalProperties: false, description: "Boot a Linux bzImage directly." },
);
export const ElfBootSchema = Type.Object(
  {
    kind: Type.Literal("elf"),
    kernel: path("An ELF kernel with a PVH note."),
    modules: Type.Optional(Type.Array(path("A module; the first is Linux' initrd."))),
    append,
  },
  { additionalProperties: false, description: "Boot an ELF kernel by its PVH entry." },
);
export const MultibootBootSchema = Type.Object(
  {
    kind: Type.Literal("multiboot"),
    kernel: path("A Multiboot 1 kernel."),
    modules: Type.Optional(
      Type.Array(Type.String({ minLength: 1, description: "A path, optionally followed by a space and arguments." })),
    ),
    append,
  },
  { additionalProperties: false, description: "Boot a Multiboot 1 kernel." },
);
export const FirmwareBootSchema = Type.Object(
  { kind: Type.Literal("firmware"), image: path("A raw flash image, mapped so that it ends at 4 GiB.") },
  { additionalProperties: false, description: "Start a firmware image at the reset vector." },
);
export const BootSourceSchema = Type.Union([LinuxBootSchema, ElfBootSchema, MultibootBootSchema, FirmwareBootSchema], {
  description: "How the machine starts.",
});

const Rate = Type.Object(
  {
    iops: Type.Optional(Type.Integer({ minimum: 1, description: "Operations (disk) or frames (NIC) per second." })),
    bytesPerSecond: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false, description: "Upper limits." },
);

export const DiskSpecSchema = Type.Object(
  {
    id: Type.Optional(Id),
    disk: PluginRefSchema,
    model: Type.Optional(Type.String({ default: "virtio-blk", description: "What the guest sees." })),
    readOnly: Type.Optional(Type.Boolean({ default: false })),
    rate: Type.Optional(Rate),
  },
  { additionalProperties: false },
);

export const NicSpecSchema = Type.Object(
  {
    id: Type.Optional(Id),
    network: PluginRefSchema,
    model: Type.Optional(Type.String({ default: "virtio-net", description: "What the guest sees." })),
    mac: Type.Optional(
      Type.String({ pattern: "^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$", description: "Default: made from the machine's name." }),
    ),
    rate: Type.Optional(Rate),
  },
  { additionalProperties: false },
);

export const DeviceSpecSchema = Type.Object(
  {
    id: Type.Optional(Id),
    plugin: Type.String({ minLength: 1, description: "Name of a registered or installed device plugin, such as debug-exit." }),
    options: Type.Optional(PluginOptions),
  },
  { additionalProperties: false },
);

/** The largest machine that a spec may describe; a backend may allow less. */
export const SPEC_LIMITS = { maxCpus: 255, minMemoryBytes: 2 * 2 ** 20, maxMemoryBytes: 2 ** 40, maxSerialPorts: 4 } as const;

export const MachineSpecSchema = Type.Object(
  {
    name: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        default: "machine",
        description: "For logs, process titles and reports.",
      }),
    ),
    cpus: Type.Optional(
      Type.Integer({ minimum: 1, maximum: SPEC_LIMITS.maxCpus, default: 1, description: "Virtual processors." }),
    ),
    cpuProfile: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Named CPUID profile, such as x86-64-v2. Default: the first that the backend offers.",
      }),
    ),
    memory: Type.Union(
      [Type.Integer({ description: "Bytes." }), Type.String({ description: 'A size such as "512MiB" or "1GiB".' })],
      {
        description: "RAM: a multiple of 4 KiB from 2 MiB to 1 TiB.",
      },
    ),
    boot: BootSourceSchema,
    platform: Type.Optional(Type.String({ default: "pc", description: "Platform plugin that supplies the standard devices." })),
    serial: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: SPEC_LIMITS.maxSerialPorts,
        default: 1,
        description: "Serial ports COM1.. of the PC; the first is the console.",
      }),
    ),
    disks: Type.Optional(Type.Array(DiskSpecSchema)),
    nics: Type.Optional(Type.Array(NicSpecSchema, { maxItems: 16 })),
    devices: Type.Optional(Type.Array(DeviceSpecSchema, { description: "Devices beside those of the platform." })),
    engine: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description: "Tuning by name, understood by one backend only.",
      }),
    ),
  },
  {
    $id: "ringzero:machine-spec",
    title: "Ringzero machine specification",
    additionalProperties: false,
  },
);

/** Specifications are read, never changed in place. */
type Frozen<T> = T extends readonly (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

export type PluginRef = Frozen<Static<typeof PluginRefSchema>>;
export type LinuxBoot = Frozen<Static<typeof LinuxBootSchema>>;
export type ElfBoot = Frozen<Static<typeof ElfBootSchema>>;
export type MultibootBoot = Frozen<Static<typeof MultibootBootSchema>>;
export type FirmwareBoot = Frozen<Static<typeof FirmwareBootSchema>>;
export type BootSource = Frozen<Static<typeof BootSourceSchema>>;
export type DiskSpec = Frozen<Static<typeof DiskSpecSchema>>;
export type NicSpec = Frozen<Static<typeof NicSpecSchema>>;
export type DeviceSpec = Frozen<Static<typeof DeviceSpecSchema>>;
export type MachineSpec = Frozen<Static<typeof MachineSpecSchema>>;

/** Types a specification written in code; checks nothing and changes nothing (`validate` does). */
export function defineMachine<const S extends MachineSpec>(spec: S): S {
  return spec;
}
