// The PC's pair of 8259A interrupt controllers: ports 20h-21h, A0h-A1h and the edge/level registers 4D0h-4D1h.
// Not locked: the caller (IrqPlatform) serialises. The output is reported by callback, falling and rising again after
// an acknowledge that leaves more to serve, so that an edge-sensitive listener sees each request. Source: Intel 8259A
// data sheet; the ELCR from the 82371SB data sheet, "Edge/Level Control Registers".
#pragma once

#include "state/irq_state.h"

namespace rz {

class PicPair {
 public:
  /// INTR of the master; called with every change.
  using Output = void (*)(void* context, bool level);
  PicPair(Output output, void* context) : output_(output), context_(context) { reset(); }

  void reset();
  /// Drive input `irq` (0..15 except 2, the cascade).
  void set_line(unsigned irq, bool level);
  /// The level of INTR.
  bool output() const { return level_; }
  /// The acknowledge cycle: the vector of the highest request, or the spurious one of input 7 (or 15) when it went
  /// away.
  u8 acknowledge();

  static constexpr bool owns(u16 port) { return (port & ~0x81) == 0x20 || port == 0x4D0 || port == 0x4D1; }
  u8 read(u16 port);
  void write(u16 port, u8 value);

  void save(PicState (&state)[2]) const;
  void load(const PicState (&state)[2]);

 private:
  using Chip = PicState;  // the saved form is the working form
  enum : unsigned { kMaster = 0, kSlave = 1, kCascade = 2 };

  static void reset_chip(Chip& chip);
  static void drive(Chip& chip, unsigned input, bool level);
  static unsigned rank(const Chip& chip, u8 bits);  // 0 (highest) .. 7; 8: no bit
  int pending(const Chip& chip) const;              // input to serve, or -1
  static void serve(Chip& chip, unsigned input);
  void write_command(Chip& chip, u8 value);
  void write_data(Chip& chip, u8 value);
  u8 poll(Chip& chip);
  void update();
  void pulse();

  Chip chips_[2];
  bool level_ = false;
  Output output_;
  void* context_;
};

}  // namespace rz
