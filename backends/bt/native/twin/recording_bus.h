// Stands before a machine's bus and notes what each access was and what it gave, so that a second machine can be given
// the same. On the vCPU's thread, with guest vector state live: built without vector registers.
#pragma once

#include "run/bus.h"

namespace rz {

struct BusAccess {
  bool port;   // else memory-mapped
  bool write;  // by the guest
  u8 width;    // bytes: 1, 2, 4 or 8
  u64 at;      // port number or guest-physical address
  u64 value;   // zero-extended
};

class RecordingBus final : public Bus {
 public:
  explicit RecordingBus(Bus& behind) : behind_(behind) {}
  u64 io_read(Vcpu& vcpu, u16 port, unsigned width) override;
  void io_write(Vcpu& vcpu, u16 port, unsigned width, u64 value) override;
  u64 mmio_read(Vcpu& vcpu, u64 gpa, unsigned width) override;
  void mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value) override;

  static constexpr unsigned kMost = 4096;
  void forget() { count = 0; }
  Bus& behind() { return behind_; }
  unsigned count = 0;  // of all accesses; those behind the first kMost are not kept
  BusAccess seen[kMost];

 private:
  void note(const BusAccess& access);
  Bus& behind_;
};

}  // namespace rz
