// 16550A; see uart16550.h.
#include "uart16550.h"

namespace rz {
namespace {

enum : u32 { kData = 0, kIer = 1, kIirFcr = 2, kLcr = 3, kMcr = 4, kLsr = 5, kMsr = 6, kScr = 7 };
constexpr u8 kIerRx = 1, kIerThre = 2, kIerLine = 4, kIerModem = 8;
constexpr u8 kIirNone = 1, kIirLine = 6, kIirRx = 4, kIirTimeout = 12, kIirThre = 2, kIirModem = 0;
constexpr u8 kLsrReady = 1, kLsrOverrun = 2, kLsrThre = 0x20, kLsrTemt = 0x40;
constexpr u8 kLcrDlab = 0x80;
constexpr u8 kMcrOut2 = 8;
constexpr u8 kMsrRi = 0x40;

}  // namespace

Uart16550::Uart16550(ByteRing output, ByteRing input, const UartWiring& wiring)
    : output_(output), input_(input), wiring_(wiring) {}

void Uart16550::reset() {
  std::lock_guard guard(lock_);
  ier_ = fcr_ = lcr_ = mcr_ = lsr_errors_ = scr_ = dlm_ = 0;
  dll_ = 12;  // 9600 baud; the data sheet leaves it undefined
  msr_ = modem_inputs_;
  thre_pending_ = false;
  rx_first_ = rx_count_ = tx_first_ = tx_count_ = 0;
  update_irq();
}

// ---- interrupts ---------------------------------------------------------------------------------------------------

u32 Uart16550::trigger() const {
  if (!fifo_enabled()) return 1;
  switch (fcr_ >> 6) {
    case 0: return 1;
    case 1: return 4;
    case 2: return 8;
    default: return 14;
  }
}

u8 Uart16550::interrupt_id() const {
  if ((ier_ & kIerLine) != 0 && lsr_errors_ != 0) return kIirLine;
  if ((ier_ & kIerRx) != 0 && rx_count_ != 0) {
    // Below the trigger level the line is idle by now (no baud rate, and fill() took all there was): a timeout.
    return rx_count_ >= trigger() ? kIirRx : kIirTimeout;
  }
  if ((ier_ & kIerThre) != 0 && thre_pending_) return kIirThre;
  if ((ier_ & kIerModem) != 0 && (msr_ & 0x0F) != 0) return kIirModem;
  return kIirNone;
}

void Uart16550::update_irq() {
  const bool level = (mcr_ & kMcrOut2) != 0 && interrupt_id() != kIirNone;
  if (level == irq_) return;
  irq_ = level;
  if (wiring_.set_irq != nullptr) wiring_.set_irq(wiring_.context, level);
}

// ---- data path ----------------------------------------------------------------------------------------------------

void Uart16550::fill() {
  if (loopback()) return;
  bool took = false;
  u8 byte;
  while (rx_count_ < depth() && input_.pop(byte)) {
    rx_[(rx_first_ + rx_count_++) % kFifoBytes] = byte;
    took = true;
  }
  if (took && input_.take_starved() && wiring_.input_room != nullptr) wiring_.input_room(wiring_.context);
}

void Uart16550::drain() {
  if (tx_count_ == 0) return;
  bool tell = false;
  while (tx_count_ != 0) {
    bool first;
    if (!output_.push(tx_[tx_first_], first)) break;
    tell |= first;
    tx_first_ = (tx_first_ + 1) % kFifoBytes;
    --tx_count_;
  }
  if (tell && wiring_.output_ready != nullptr) wiring_.output_ready(wiring_.context);
  if (tx_count_ == 0) thre_pending_ = true;
}

void Uart16550::receive(u8 byte) {
  if (rx_count_ == depth()) {
    lsr_errors_ |= kLsrOverrun;
    // The FIFO keeps what it has; without it the holding register is overwritten.
    if (!fifo_enabled()) rx_[rx_first_] = byte;
    return;
  }
  rx_[(rx_first_ + rx_count_++) % kFifoBytes] = byte;
}

void Uart16550::transmit(u8 byte) {
  thre_pending_ = false;
  if (loopback()) {
    update_irq();
    receive(byte);
    thre_pending_ = true;
    return;
  }
  if (tx_count_ == depth()) return;  // the guest did not look at THRE: lost, as on the chip
  tx_[(tx_first_ + tx_count_++) % kFifoBytes] = byte;
  update_irq();  // the line falls between two THRE interrupts: edge-triggered inputs need it
  drain();
}

void Uart16550::poll() {
  std::lock_guard guard(lock_);
  fill();
  drain();
  update_irq();
}

// ---- registers ----------------------------------------------------------------------------------------------------

u8 Uart16550::status() const {
  return static_cast<u8>((rx_count_ != 0 ? kLsrReady : 0) | lsr_errors_ | (tx_count_ == 0 ? kLsrThre | kLsrTemt : 0));
}

u8 Uart16550::read(u32 offset) {
  std::lock_guard guard(lock_);
  u8 value = 0;
  switch (offset & 7) {
    case kData:
      if ((lcr_ & kLcrDlab) != 0) return dll_;
      fill();
      if (rx_count_ != 0) {
        value = rx_[rx_first_];
        rx_first_ = (rx_first_ + 1) % kFifoBytes;
        --rx_count_;
        fill();
      }
      break;
    case kIer: return (lcr_ & kLcrDlab) != 0 ? dlm_ : ier_;
    case kIirFcr:
      fill();
      drain();
      value = interrupt_id();
      if (value == kIirThre) thre_pending_ = false;
      value |= fifo_enabled() ? 0xC0 : 0;
      break;
    case kLcr: return lcr_;
    case kMcr: return mcr_;
    case kLsr:
      fill();
      drain();  // a guest that polls gets its bytes out without waiting for the consumer's poll()
      value = status();
      lsr_errors_ = 0;
      break;
    case kMsr:
      value = msr_;
      msr_ &= 0xF0;
      break;
    default: return scr_;
  }
  update_irq();
  return value;
}

void Uart16550::write(u32 offset, u8 value) {
  std::lock_guard guard(lock_);
  switch (offset & 7) {
    case kData:
      if ((lcr_ & kLcrDlab) != 0)
        dll_ = value;
      else
        transmit(value);
      break;
    case kIer:
      if ((lcr_ & kLcrDlab) != 0) {
        dlm_ = value;
        break;
      }
      // Enabling the THRE interrupt while the transmitter is empty raises it at once; drivers rely on it to start.
      if ((value & kIerThre) != 0 && (ier_ & kIerThre) == 0 && tx_count_ == 0) thre_pending_ = true;
      ier_ = value & 0x0F;
      fill();
      break;
    case kIirFcr: write_fcr(value); break;
    case kLcr: lcr_ = value; break;
    case kMcr: write_mcr(value); break;
    case kScr: scr_ = value; break;
    default: break;  // LSR and MSR: factory test only
  }
  update_irq();
}

void Uart16550::clear_tx() {
  if (tx_count_ == 0) return;
  tx_count_ = 0;
  thre_pending_ = true;
}

void Uart16550::write_fcr(u8 value) {
  const bool toggled = ((value ^ fcr_) & 1) != 0;
  if (toggled || (value & 3) == 3) rx_first_ = rx_count_ = 0;
  if (toggled || (value & 5) == 5) clear_tx();
  fcr_ = (value & 1) != 0 ? value & 0xC1 : 0;
  fill();
}

void Uart16550::write_mcr(u8 value) {
  mcr_ = value & 0x1F;
  apply_modem_inputs();
  fill();  // leaving loopback lets the input through
}

void Uart16550::apply_modem_inputs() {
  u8 lines = modem_inputs_;
  if (loopback()) {  // DTR -> DSR, RTS -> CTS, OUT1 -> RI, OUT2 -> DCD
    lines = static_cast<u8>((mcr_ & 1) << 5 | (mcr_ & 2) << 3 | (mcr_ & 4) << 4 | (mcr_ & 8) << 4);
  }
  const u8 changed = (lines ^ msr_) & 0xF0;
  u8 delta = (changed >> 4) & 0x0B;
  if ((changed & kMsrRi) != 0 && (lines & kMsrRi) == 0) delta |= 4;  // trailing edge of RI only
  msr_ = static_cast<u8>((lines & 0xF0) | (msr_ & 0x0F) | delta);
}

void Uart16550::set_modem_inputs(u8 bits) {
  std::lock_guard guard(lock_);
  modem_inputs_ = bits & 0xF0;
  apply_modem_inputs();
  update_irq();
}

// ---- state --------------------------------------------------------------------------------------------------------

void Uart16550::save(UartState& s) {
  std::lock_guard guard(lock_);
  s = {};
  s.version = kUartStateVersion;
  s.ier = ier_;
  s.fcr = fcr_;
  s.lcr = lcr_;
  s.mcr = mcr_;
  s.lsr_errors = lsr_errors_;
  s.msr = msr_;
  s.scr = scr_;
  s.dll = dll_;
  s.dlm = dlm_;
  s.thre_pending = thre_pending_;
  s.rx_count = static_cast<u8>(rx_count_);
  s.tx_count = static_cast<u8>(tx_count_);
  for (u32 i = 0; i < rx_count_; ++i) s.rx[i] = rx_[(rx_first_ + i) % kFifoBytes];
  for (u32 i = 0; i < tx_count_; ++i) s.tx[i] = tx_[(tx_first_ + i) % kFifoBytes];
}

bool Uart16550::load(const UartState& s) {
  if (s.version != kUartStateVersion || s.rx_count > kFifoBytes || s.tx_count > kFifoBytes) return false;
  std::lock_guard guard(lock_);
  ier_ = s.ier & 0x0F;
  fcr_ = s.fcr & 0xC1;
  lcr_ = s.lcr;
  mcr_ = s.mcr & 0x1F;
  lsr_errors_ = s.lsr_errors & 0x1E;
  msr_ = s.msr;
  scr_ = s.scr;
  dll_ = s.dll;
  dlm_ = s.dlm;
  thre_pending_ = s.thre_pending != 0;
  rx_first_ = tx_first_ = 0;
  rx_count_ = s.rx_count;
  tx_count_ = s.tx_count;
  for (u32 i = 0; i < rx_count_; ++i) rx_[i] = s.rx[i];
  for (u32 i = 0; i < tx_count_; ++i) tx_[i] = s.tx[i];
  // The controllers were restored with the line as it was: report the level even if it looks unchanged from here.
  irq_ = (mcr_ & kMcrOut2) != 0 && interrupt_id() != kIirNone;
  if (wiring_.set_irq != nullptr) wiring_.set_irq(wiring_.context, irq_);
  return true;
}

}  // namespace rz
