// What a disk plugin provides: a flat array of bytes, moved straight between the host and guest memory.
// What must stay true: a buffer passed in is the guest's own memory; it is used until the promise settles and never after.

/** What a disk can do beside reading; what is false is refused with `VM_UNSUPPORTED` before any effect. */
export interface BlockCapabilities {
  readonly write: boolean;
  /** Completed writes can be made durable. Without it every write is durable when it completes. */
  readonly flush: boolean;
  readonly discard: boolean;
  readonly writeZeroes: boolean;
}

/**
 * An open disk. Every operation checks before any effect: a place or length that is none is a `RangeError` (`checkTransfer` does it), what
 * is not claimed is `VM_UNSUPPORTED`, and everything after `close` is `VM_NOT_OPEN`. All of them as rejections.
 */
export interface BlockDevice {
  /** A multiple of `blockBytes`. Fixed while open, unless `onResize` says otherwise. */
  readonly sizeBytes: number;
  /** Smallest unit of a transfer: 512 or 4096. */
  readonly blockBytes: 512 | 4096;
  readonly capabilities: BlockCapabilities;
  /**
   * Fill `into` from the disk. Operations may run concurrently; overlapping ones in any order.
   * @param offsetBytes  a multiple of `blockBytes`; `offsetBytes + into.length <= sizeBytes`
   * @param into  filled wholly, or the promise rejects
   * @throws RingzeroError `VM_HOST_FAILURE`
   */
  read(offsetBytes: number, into: Uint8Array): Promise<void>;
  /**
   * Take over `from`. Visible to every read that begins when it has completed; durable after the next `flush`. Blocks that two
   * operations write at once are whole blocks of either.
   */
  write(offsetBytes: number, from: Uint8Array): Promise<void>;
  /** Resolves when every write that completed before the call is durable. */
  flush(): Promise<void>;
  /** The bytes are not needed any more; afterwards they read as anything until written. */
  discard(offsetBytes: number, sizeBytes: number): Promise<void>;
  /** The bytes read as zero afterwards. @param mayUnmap  whether the space may be given back */
  writeZeroes(offsetBytes: number, sizeBytes: number, mayUnmap: boolean): Promise<void>;
  /** Called with the new size when the disk grew or shrank under a running machine. */
  onResize?(listener: (sizeBytes: number) => void): void;
  /** Waits for what is under way, flushes, and lets go of everything; idempotent. */
  close(): Promise<void>;
}

/**
 * The first line of every operation of a disk.
 * @throws RangeError when the range is empty, not whole blocks or not wholly on the disk
 */
export function checkTransfer(
  disk: Pick<BlockDevice, "sizeBytes" | "blockBytes">,
  offsetBytes: number,
  countBytes: number,
): void {
  const whole = (value: number): boolean => Number.isSafeInteger(value) && value % disk.blockBytes === 0;
  if (whole(offsetBytes) && whole(countBytes) && offsetBytes >= 0 && countBytes > 0) {
    if (offsetBytes + countBytes <= disk.sizeBytes) return;
    throw new RangeError(`${countBytes} bytes at ${offsetBytes} go beyond the end of the disk, which has ${disk.sizeBytes}`);
  }
  throw new RangeError(
    `${countBytes} bytes at ${offsetBytes} are no transfer: both must be multiples of ${disk.blockBytes}, the count not 0`,
  );
}
