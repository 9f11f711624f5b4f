// See recording_bus.h.
#include "recording_bus.h"

namespace rz {

void RecordingBus::note(const BusAccess& access) {
  if (count < kMost) seen[count] = access;
  count++;
}

u64 RecordingBus::io_read(Vcpu& vcpu, u16 port, unsigned width) {
  const u64 value = behind_.io_read(vcpu, port, width);
  note({true, false, static_cast<u8>(width), port, value});
  return value;
}

void RecordingBus::io_write(Vcpu& vcpu, u16 port, unsigned width, u64 value) {
  note({true, true, static_cast<u8>(width), port, value});
  behind_.io_write(vcpu, port, width, value);
}

u64 RecordingBus::mmio_read(Vcpu& vcpu, u64 gpa, unsigned width) {
  const u64 value = behind_.mmio_read(vcpu, gpa, width);
  note({false, false, static_cast<u8>(width), gpa, value});
  return value;
}

void RecordingBus::mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value) {
  note({false, true, static_cast<u8>(width), gpa, value});
  behind_.mmio_write(vcpu, gpa, width, value);
}

}  // namespace rz
