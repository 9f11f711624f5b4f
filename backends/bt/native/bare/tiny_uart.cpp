// See tiny_uart.h. Source: National Semiconductor, "PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs".
#include "tiny_uart.h"

namespace rz {

constexpr unsigned kLine = 4;  // ISA interrupt of COM1

void TinyUart::feed(const std::string& text) {
  input_ += text;
  update();
}

u8 TinyUart::read(unsigned reg) {
  switch (reg) {
    case 0: {
      if (divisor()) return dll_;
      const u8 c = has_input() ? static_cast<u8>(input_[at_++]) : 0;
      update();
      return c;
    }
    case 1: return divisor() ? dlm_ : ier_;
    case 2: {
      u8 iir = 1;
      if ((ier_ & 1) && has_input()) {
        iir = 4;
      } else if ((ier_ & 2) && thre_) {
        iir = 2;
        thre_ = false;
        update();
      }
      return static_cast<u8>(iir | 0xc0);
    }
    case 3: return lcr_;
    case 4: return mcr_;
    case 5: return static_cast<u8>(0x60 | (has_input() ? 1 : 0));
    case 6: return mcr_ & 0x10 ? static_cast<u8>((mcr_ & 3) << 4 | (mcr_ & 12) << 4) : 0xb0;
    default: return scr_;
  }
}

void TinyUart::write(unsigned reg, u8 value) {
  switch (reg) {
    case 0:
      if (divisor()) {
        dll_ = value;
        break;
      }
      output += static_cast<char>(value);
      thre_ = true;
      update();
      break;
    case 1:
      if (divisor()) {
        dlm_ = value;
        break;
      }
      if (!(ier_ & 2) && (value & 2)) thre_ = true;
      ier_ = value & 15;
      update();
      break;
    case 3: lcr_ = value; break;
    case 4:
      mcr_ = value;
      update();
      break;
    case 7: scr_ = value; break;
    default: break;
  }
}

void TinyUart::update() { irq_.set_line(kLine, (mcr_ & 8) && (((ier_ & 1) && has_input()) || ((ier_ & 2) && thre_))); }

}  // namespace rz
