// The ports and the MMIO page that guest test programs talk to, the same on every engine: how a program ends, and
// devices that remember exactly how they were accessed, so that a program can check count, width and value.
#pragma once

#include <cstdint>

namespace guests {

/// What a write to one of the end ports said.
enum class End { kNone, kDone, kCheckFailed, kException, kSkipped };

class TestDevices {
 public:
  static constexpr std::uint16_t kDonePort = 0xf4;         // the program is through
  static constexpr std::uint16_t kCheckFailedPort = 0xf5;  // the check just before RIP failed
  static constexpr std::uint16_t kExceptionPort = 0xf6;    // an exception that nobody waited for
  static constexpr std::uint16_t kSkippedPort = 0xf7;      // the processor lacks what the program tests
  static constexpr std::uint16_t kEchoPort = 0x300;        // 8 ports
  static constexpr std::uint16_t kEchoLogPort = 0x310;     // writes (0), last value (4), last width (8), reads (12)
  static constexpr std::uint64_t kMmioPage = 0xd0000000;   // first half: register file; second half: log, as the ports'

  /// @returns what the write ends, kNone for any other port
  End port_write(std::uint16_t port, unsigned width, std::uint64_t value) {
    if (port >= kDonePort && port <= kSkippedPort) return static_cast<End>(port - kDonePort + 1);
    if (port >= kEchoPort && port < kEchoPort + 8) ports_.wrote(value, width);
    return End::kNone;
  }
  std::uint64_t port_read(std::uint16_t port, unsigned width) {
    const std::uint64_t all = width >= 8 ? ~0ull : (1ull << (width * 8)) - 1;
    if (port >= kEchoPort && port < kEchoPort + 8) {
      ports_.reads++;
      return 0x8877665544332211ull >> ((port - kEchoPort) * 8) & all;
    }
    if (port >= kEchoLogPort && port < kEchoLogPort + 16) return ports_.field((port - kEchoLogPort) / 4) & all;
    return all;
  }
  static bool is_mmio(std::uint64_t address) { return address >= kMmioPage && address < kMmioPage + 0x1000; }
  void mmio_write(std::uint64_t address, unsigned width, std::uint64_t value) {
    if (address - kMmioPage < 0x800) mmio_.wrote(value, width);
  }
  std::uint64_t mmio_read(std::uint64_t address, unsigned width) {
    const std::uint64_t all = width >= 8 ? ~0ull : (1ull << (width * 8)) - 1;
    const std::uint64_t offset = address - kMmioPage;
    if (offset >= 0x800) return mmio_.field(static_cast<unsigned>(offset - 0x800) / 4) & all;
    mmio_.reads++;
    std::uint64_t value = 0;  // byte at offset x reads as x + 11h
    for (unsigned i = 0; i < width; i++) value |= ((offset + i + 0x11) & 0xff) << (i * 8);
    return value;
  }

 private:
  struct Log {
    std::uint32_t writes = 0, reads = 0, width = 0;
    std::uint64_t value = 0;
    void wrote(std::uint64_t v, unsigned w) {
      writes++;
      value = v;
      width = w;
    }
    std::uint64_t field(unsigned index) const {
      return index == 0 ? writes : index == 1 ? value : index == 2 ? width : reads;
    }
  };
  Log ports_, mmio_;
};

}  // namespace guests
