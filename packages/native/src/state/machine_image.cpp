// Chunks out, chunks in.
#include "machine_image.h"

#include <string.h>

namespace rz::state {

namespace {

constexpr size_t kXsaveLegacyBytes = 576, kXsaveCompactedAt = 520;
constexpr u64 kTscTolerance = 1000;  // a part in so many: what two measurements of one clock may differ

class Writer {
 public:
  void chunk(u32 tag, u32 instance, const void* payload, size_t bytes) {
    const ChunkHeader header = {tag, 1, instance, static_cast<u32>(bytes)};
    append(&header, sizeof header);
    append(payload, bytes);
    bytes_.resize((bytes_.size() + 7) & ~size_t{7});
    ++chunks_;
  }
  void append(const void* from, size_t bytes) {
    const auto* first = static_cast<const u8*>(from);
    bytes_.insert(bytes_.end(), first, first + bytes);
  }
  std::vector<u8> bytes_;
  u32 chunks_ = 0;
};

/// Which parts were met; each must be there once.
struct Met {
  std::vector<u8> vcpu;  // by vCPU: bit 0 registers, 1 VCPU, 2 MSRs, 3 XSAVE
  std::vector<u8> uart;
  bool irq = false;
};

const char* read_irq(MachineImage& out, const u8* from, size_t bytes) {
  IrqStateHeader header;
  const size_t wanted = sizeof header + sizeof(ChipsState) + out.vcpus.size() * sizeof(LapicState);
  if (bytes != wanted) return "the interrupt state is truncated, or of another number of vCPUs";
  memcpy(&header, from, sizeof header);
  if (header.magic != kIrqStateMagic || header.version != kIrqStateVersion)
    return "the interrupt state has a version that is unknown here";
  if (header.total_bytes != wanted || header.vcpu_count != out.vcpus.size())
    return "the interrupt state is of a machine with another number of vCPUs";
  memcpy(&out.chips, from + sizeof header, sizeof out.chips);
  for (size_t i = 0; i < out.vcpus.size(); ++i)
    memcpy(&out.vcpus[i].lapic, from + sizeof header + sizeof out.chips + i * sizeof(LapicState), sizeof(LapicState));
  return nullptr;
}

const char* read_xsave(OneVcpu& one, const u8* from, size_t bytes) {
  u64 compacted;
  if (bytes < kXsaveLegacyBytes || bytes > 8192) return "the FPU state is missing or of the wrong size";
  memcpy(&compacted, from + kXsaveCompactedAt, 8);
  if (compacted != 0) return "the FPU state is in the compacted format";
  one.xsave.assign(from, from + bytes);
  return nullptr;
}

const char* read_msrs(OneVcpu& one, const u8* from, size_t bytes) {
  if (bytes % sizeof(MsrImage) != 0) return "the MSRs are cut off";
  one.msrs.resize(bytes / sizeof(MsrImage));
  if (bytes > 0) memcpy(one.msrs.data(), from, bytes);  // an empty vector has no address
  return nullptr;
}

template <typename T>
const char* read_whole(T& out, const u8* from, size_t bytes, const char* why) {
  if (bytes != sizeof out) return why;
  memcpy(&out, from, sizeof out);
  return nullptr;
}

const char* take(MachineImage& out, Met& met, const ChunkHeader& chunk, const u8* from) {
  constexpr const char* kTwice = "the state has a part twice";
  if (chunk.version != 1) return "a part of the state is of a version that is unknown here";
  if (chunk.tag == kChunkIrq && chunk.instance == 0) {
    if (met.irq) return kTwice;
    met.irq = true;
    return read_irq(out, from, chunk.bytes);
  }
  if (chunk.tag == kChunkUart && chunk.instance < out.uarts.size()) {
    if (met.uart[chunk.instance]++ != 0) return kTwice;
    UartState& uart = out.uarts[chunk.instance];
    if (const char* why = read_whole(uart, from, chunk.bytes, "a UART's state is of the wrong size")) return why;
    const bool good = uart.version == kUartStateVersion && uart.rx_count <= 16 && uart.tx_count <= 16;
    return good ? nullptr : "a UART's state is impossible";
  }
  constexpr u32 kTags[] = {kChunkRegisters, kChunkVcpu, kChunkMsrs, kChunkXsave};
  for (u32 i = 0; i < 4 && chunk.instance < out.vcpus.size(); ++i) {
    if (chunk.tag != kTags[i]) continue;
    if ((met.vcpu[chunk.instance] >> i & 1) != 0) return kTwice;
    met.vcpu[chunk.instance] |= static_cast<u8>(1u << i);
    OneVcpu& one = out.vcpus[chunk.instance];
    switch (i) {
      case 0: return read_whole(one.registers, from, chunk.bytes, "the registers are of the wrong size");
      case 1: return read_whole(one.vcpu, from, chunk.bytes, "a vCPU's state is of the wrong size");
      case 2: return read_msrs(one, from, chunk.bytes);
      default: return read_xsave(one, from, chunk.bytes);
    }
  }
  return "the state has a part that is unknown here, or belongs to a vCPU or UART that this machine lacks";
}

}  // namespace

std::vector<u8> encode(const MachineImage& image) {
  Writer out;
  StateHeader header = {
      kStateMagic,  kStateVersion,     0, 0, static_cast<u32>(image.vcpus.size()), static_cast<u32>(image.uarts.size()),
      image.tsc_hz, image.uptime_ticks};
  out.append(&header, sizeof header);
  std::vector<u8> irq;
  const IrqStateHeader irq_header = {
      kIrqStateMagic, kIrqStateVersion,
      static_cast<u32>(sizeof(IrqStateHeader) + sizeof(ChipsState) + image.vcpus.size() * sizeof(LapicState)),
      static_cast<u32>(image.vcpus.size())};
  const auto append = [&irq](const void* from, size_t bytes) {
    const auto* first = static_cast<const u8*>(from);
    irq.insert(irq.end(), first, first + bytes);
  };
  append(&irq_header, sizeof irq_header);
  append(&image.chips, sizeof image.chips);
  for (u32 i = 0; i < header.vcpus; ++i) {
    const OneVcpu& one = image.vcpus[i];
    out.chunk(kChunkRegisters, i, &one.registers, sizeof one.registers);
    out.chunk(kChunkVcpu, i, &one.vcpu, sizeof one.vcpu);
    out.chunk(kChunkMsrs, i, one.msrs.data(), one.msrs.size() * sizeof(MsrImage));
    out.chunk(kChunkXsave, i, one.xsave.data(), one.xsave.size());
    append(&one.lapic, sizeof one.lapic);
  }
  out.chunk(kChunkIrq, 0, irq.data(), irq.size());
  for (u32 i = 0; i < header.uarts; ++i) out.chunk(kChunkUart, i, &image.uarts[i], sizeof image.uarts[i]);
  header.total_bytes = static_cast<u32>(out.bytes_.size());
  header.chunks = out.chunks_;
  memcpy(out.bytes_.data(), &header, sizeof header);
  return std::move(out.bytes_);
}

const char* decode(const u8* from, size_t bytes, MachineImage& out) {
  StateHeader header;
  if (bytes < sizeof header) return "the state is shorter than its header";
  memcpy(&header, from, sizeof header);
  if (header.magic != kStateMagic) return "this is not the saved state of a machine";
  if (header.version != kStateVersion) return "the state is of a version that is unknown here";
  if (header.total_bytes != bytes) return "the state is cut off or has something appended";
  if (header.vcpus != out.vcpus.size() || header.uarts != out.uarts.size())
    return "the state is of a machine with another number of vCPUs or UARTs";
  out.tsc_hz = header.tsc_hz;
  out.uptime_ticks = header.uptime_ticks;
  Met met;
  met.vcpu.resize(out.vcpus.size());
  met.uart.resize(out.uarts.size());
  size_t at = sizeof header;
  for (u32 i = 0; i < header.chunks; ++i) {
    ChunkHeader chunk;
    if (bytes - at < sizeof chunk) return "the state ends inside a part";
    memcpy(&chunk, from + at, sizeof chunk);
    at += sizeof chunk;
    const size_t padded = (static_cast<size_t>(chunk.bytes) + 7) & ~size_t{7};
    if (padded > bytes - at) return "the state ends inside a part";
    if (const char* why = take(out, met, chunk, from + at)) return why;
    at += padded;
  }
  if (at != bytes) return "the state has more bytes than its parts";
  if (!met.irq) return "the interrupt controllers' state is missing";
  for (u8 parts : met.vcpu) {
    if (parts != 15) return "a part of a vCPU's state is missing";
  }
  for (u8 count : met.uart) {
    if (count != 1) return "a UART's state is missing";
  }
  return nullptr;
}

const char* check_tsc_rate(const MachineImage& image, u64 hz) {
  const u64 apart = hz > image.tsc_hz ? hz - image.tsc_hz : image.tsc_hz - hz;
  if (image.tsc_hz != 0 && apart <= hz / kTscTolerance) return nullptr;
  return "the state's time-stamp counter runs at another rate than this host's; the machine can be moved only to a "
         "host of the same rate";
}

}  // namespace rz::state
