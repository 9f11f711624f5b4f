// Gives huge host pages to the pieces of guest RAM that the guest uses hardest, and to code. See huge_pages.cpp.
#pragma once

#include "mmu/ram_heat.h"

namespace rz {

/// Start the thread that does it, for as long as the process lives.
/// @param ram  mapped shared, a multiple of 2 MiB, with file offset 0 there
/// @returns what the machine's soft TLBs, or its code cache, report to, or null where huge pages are not worth it or
/// not to be had
RamHeat* start_huge_pages(u8* ram, u64 bytes);

}  // namespace rz
