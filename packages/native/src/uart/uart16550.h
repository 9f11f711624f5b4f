// 16550A serial port with a native data path: what the guest writes goes to a byte ring, what it reads comes from one.
// There is no baud rate: a byte is sent as soon as the output ring has room. While it has none, the byte stays in the
// transmit FIFO and THRE stays clear, so a slow console throttles the guest and no byte is lost; input waits in its
// ring likewise, so the receiver overruns only in loopback. Plain C++20 without exceptions: built into engine and
// addons. Source: TI PC16550D data sheet; OUT2 gating of the interrupt line: PC/AT serial adapter.
#pragma once

#include <mutex>

#include "../ring/byte_ring.h"

namespace rz {

/// What a UART drives. Called with the UART's lock held, on whatever thread caused the change; must not call back into
/// the UART. Any pointer may be null.
struct UartWiring {
  void (*set_irq)(void* context, bool level) = nullptr;  // the interrupt line; only changes are reported
  void (*output_ready)(void* context) = nullptr;         // the output ring may have been empty, and now is not
  void (*input_room)(void* context) = nullptr;           // the input ring was full, and now is not
  void* context = nullptr;
};

/// Saved form, little endian; described in docs/state-format.md. Bytes still in the rings belong to the host.
struct UartState {
  u32 version;            // kUartStateVersion
  u8 ier, fcr, lcr, mcr;  // fcr: bits 0, 6 and 7 only
  u8 lsr_errors;          // LSR bits 1..4
  u8 msr, scr, dll, dlm;
  u8 thre_pending;        // THRE interrupt not yet acknowledged
  u8 rx_count, tx_count;  // 0..16
  u8 rx[16], tx[16];      // oldest first
  u8 reserved[16];
};
static_assert(sizeof(UartState) == 64);
inline constexpr u32 kUartStateVersion = 1;

class Uart16550 {
 public:
  static constexpr u32 kFifoBytes = 16;

  Uart16550(ByteRing output, ByteRing input, const UartWiring& wiring);
  Uart16550(const Uart16550&) = delete;
  Uart16550& operator=(const Uart16550&) = delete;

  /// Register access; `offset` 0..7 from the port's base, one byte. Any thread.
  u8 read(u32 offset);
  void write(u32 offset, u8 value);
  /// The other end moved: room in the output ring, or bytes in the input ring. Any thread; cheap when nothing changed.
  void poll();
  /// Modem status inputs: MSR bits 4..7 (CTS, DSR, RI, DCD). A fresh UART sees CTS, DSR and DCD. Any thread.
  void set_modem_inputs(u8 bits);
  /// Master reset (power-on). FIFO contents are dropped, the rings are not.
  void reset();

  void save(UartState& state);
  /// False (and nothing changed): unknown version or impossible counts.
  [[nodiscard]] bool load(const UartState& state);

 private:
  bool fifo_enabled() const { return (fcr_ & 1) != 0; }
  bool loopback() const { return (mcr_ & 0x10) != 0; }
  u32 depth() const { return fifo_enabled() ? kFifoBytes : 1; }
  u32 trigger() const;
  u8 interrupt_id() const;  // IIR bits 0..3
  void update_irq();
  void fill();            // input ring -> receive FIFO
  void drain();           // transmit FIFO -> output ring
  void receive(u8 byte);  // loopback
  void transmit(u8 byte);
  void clear_tx();
  void write_fcr(u8 value);
  void write_mcr(u8 value);
  void apply_modem_inputs();
  u8 status() const;  // LSR

  std::mutex lock_;  // guards everything below; held over wiring_ callbacks
  ByteRing output_, input_;
  UartWiring wiring_;
  u8 ier_ = 0, fcr_ = 0, lcr_ = 0, mcr_ = 0, lsr_errors_ = 0, msr_ = 0xB0, scr_ = 0, dll_ = 12, dlm_ = 0;
  u8 modem_inputs_ = 0xB0;
  bool thre_pending_ = false;
  bool irq_ = false;
  u8 rx_[kFifoBytes] = {}, tx_[kFifoBytes] = {};
  u32 rx_first_ = 0, rx_count_ = 0, tx_first_ = 0, tx_count_ = 0;
};

}  // namespace rz
