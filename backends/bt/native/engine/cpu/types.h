// Fixed-width integers and the few strong types that every part of the engine shares.
// Sits below everything else in the engine; includes nothing of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rz {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

inline constexpr u64 kPageBytes = 4096;
inline constexpr u64 kPageMask = ~(kPageBytes - 1);

/// How an instruction or a table walk touches memory. Bits, so that a read-modify-write is kRead|kWrite.
enum class Access : u8 { kRead = 1, kWrite = 2, kReadWrite = 3, kExecute = 4 };

constexpr bool reads(Access a) { return (static_cast<u8>(a) & 1) != 0; }
constexpr bool writes(Access a) { return (static_cast<u8>(a) & 2) != 0; }

}  // namespace rz
