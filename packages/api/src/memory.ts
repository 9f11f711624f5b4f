// Guest-physical memory as the host side sees it.

declare const unit: unique symbol;

/** Guest-physical address in bytes. x86 stops at 52 bits, so a `number` holds every one exactly. */
export type GuestAddress = number & { readonly [unit]?: "guest-physical byte" };

/**
 * Guest RAM and ROM. Views are the guest's own memory, not copies; they die with the VM.
 * Whoever changes memory that may hold code (DMA, loaders) writes through `write` or calls `touched`,
 * so that a translator can drop what it made of the old bytes.
 */
export interface GuestMemory {
  /** Bytes of RAM and ROM in all. */
  readonly sizeBytes: number;
  /**
   * A zero-copy view. It is of one VM: once the machine has moved to another backend it is empty (length 0; `set` throws a TypeError, and
   * `fs.read` into it reads nothing), so a device takes its views anew after `resume`.
   * @param at         first byte
   * @param sizeBytes  1 .. 2^32; the range must lie in one memory range
   * @throws RangeError when any byte is not RAM or ROM
   */
  view(at: GuestAddress, sizeBytes: number): Uint8Array;
  /** Copy into the guest. @throws RangeError when any byte is not RAM or ROM */
  write(at: GuestAddress, bytes: Uint8Array): void;
  /** Copy out of the guest. @throws RangeError when any byte is not RAM or ROM */
  read(at: GuestAddress, sizeBytes: number): Uint8Array;
  /** Say that bytes in this range were changed through a view. */
  touched(at: GuestAddress, sizeBytes: number): void;
}
