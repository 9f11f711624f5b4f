// COM1 with a transmitter that is always empty, and input that is given beforehand: enough for a console, and it
// depends on nothing but what the guest does.
#pragma once

#include <string>

#include "irq/platform.h"

namespace rz {

class TinyUart {
 public:
  explicit TinyUart(IrqPlatform& irq) : irq_(irq) {}
  /// What the guest will read.
  void feed(const std::string& text);
  u8 read(unsigned reg);
  void write(unsigned reg, u8 value);
  std::string output;  // what the guest wrote; the owner may take it away

 private:
  void update();
  bool divisor() const { return (lcr_ & 0x80) != 0; }
  bool has_input() const { return at_ < input_.size(); }

  IrqPlatform& irq_;
  std::string input_;
  size_t at_ = 0;
  u8 ier_ = 0, lcr_ = 0, mcr_ = 0, scr_ = 0, dll_ = 0, dlm_ = 0;
  bool thre_ = false;
};

}  // namespace rz
