// A stock Debian kernel and BusyBox for tests that run a real guest on the real translator.

import { type DebianImages, busyboxInitramfs, fetchDebianImages } from "@ringzero/boot";
import { BtBackend } from "@ringzero/backend-bt";

/** The images, or null after a line that says why this host has none or cannot run them. */
export async function stockGuest(): Promise<DebianImages | null> {
  const { available, reason } = await new BtBackend().probe();
  if (!available) throw new Error(`the translator is part of this workspace and must work: ${reason}`);
  try {
    return await fetchDebianImages();
  } catch (error) {
    console.log(`        skipped: ${(error as Error).message}`);
    return null;
  }
}

/** An initramfs that runs these commands and powers off. */
export function initramfs(images: DebianImages, commands: readonly string[]): Promise<Uint8Array> {
  return busyboxInitramfs({ busybox: images.busybox, commands });
}
