// Byte layout of the interrupt controllers' saved state, version 1; described in docs/state-format.md.
// Little endian, no implicit padding. The chip sections repeat the field order of KVM's kvm_pic_state,
// kvm_ioapic_state, kvm_pit_state2 and kvm_lapic_state, so that a converter copies them; where KVM stores host times,
// spans are stored.
#pragma once

#include "../shared/types.h"

namespace rz {

// clang-format off
inline constexpr u32 kIrqStateMagic = 0x51525A52;  // "RZRQ"
inline constexpr u32 kIrqStateVersion = 1;

struct IrqStateHeader {
  u32 magic;          // kIrqStateMagic
  u32 version;        // kIrqStateVersion
  u32 total_bytes;    // of header, chips and all LapicState
  u32 vcpu_count;
};

/// One 8259A; bytes as in kvm_pic_state.
struct PicState {
  u8 last_irr;                  // input levels at the last look, for edge detection
  u8 irr, imr, isr;
  u8 priority_add;              // input of highest priority
  u8 irq_base;                  // vector of input 0
  u8 read_reg_select;           // 0: reads return IRR; 1: ISR
  u8 poll;                      // next read is a poll
  u8 special_mask;
  u8 init_state;                // 0: operating; 1, 2, 3: waiting for ICW2, ICW3, ICW4
  u8 auto_eoi;
  u8 rotate_on_auto_eoi;
  u8 special_fully_nested_mode;
  u8 init4;                     // ICW4 will come
  u8 elcr;                      // 1 bits: level triggered
  u8 elcr_mask;                 // writable bits of ELCR
};
static_assert(sizeof(PicState) == 16);

/// As kvm_ioapic_state.
struct IoapicState {
  u64 base_address;             // 0xFEC00000
  u32 ioregsel;
  u32 id;                       // 4 bits
  u32 irr;                      // input levels, one bit a pin
  u32 pad;
  u64 redirection[24];
};
static_assert(sizeof(IoapicState) == 216);

/// As kvm_pit_channel_state, except the last field.
struct PitChannelState {
  u32 count;                    // reload value, 1..65536 (10000 in BCD)
  u16 latched_count;
  u8 count_latched;             // bytes of the latched count still to read; 0: none
  u8 status_latched;
  u8 status;                    // latched status byte
  u8 read_state;                // 1 LSB, 2 MSB, 3 LSB then MSB, 4 the MSB of 3
  u8 write_state;               // likewise
  u8 write_latch;               // LSB, waiting for the MSB
  u8 rw_mode;                   // 1, 2, 3
  u8 mode;                      // 0..5
  u8 bcd;
  u8 gate;
  i64 elapsed_ticks;            // 1193182 Hz ticks counted since the load (KVM: host time of the load, ns); -1: not counting
};
static_assert(sizeof(PitChannelState) == 24);

/// As kvm_pit_state2, with five of its reserved words used.
struct PitState {
  PitChannelState channels[3];
  u32 flags;                    // bit 1: speaker data on (port 61h bit 1)
  u32 next_count[3];            // count waiting for the end of the period in modes 2 and 3; 0: none
  u32 port61;                   // stored bits 2..3 of port 61h
  u32 loaded;                   // bit n: channel n was given a count since its mode word
  u32 reserved[4];
};
static_assert(sizeof(PitState) == 112);

/// One local APIC: what surrounds KVM's register page, then the page.
struct LapicState {
  static constexpr u32 kPendingNmi = 1, kPendingInit = 2, kPendingSipi = 4, kPendingExtInt = 8;
  u32 apic_id;
  u32 pending;                  // kPending bits
  u32 startup_vector;           // of the last SIPI
  u32 esr_pending;              // error bits since the last ESR write
  u64 apic_base;                // IA32_APIC_BASE
  u64 tsc_deadline;             // IA32_TSC_DEADLINE, guest TSC; 0: disarmed
  u64 timer_left_ns;            // until the one-shot or periodic count reaches 0; ~0: stopped
  u64 reserved;
  u32 regs[256];                // kvm_lapic_state: register r at regs[r * 4]
};
static_assert(sizeof(LapicState) == 48 + 1024);

struct ChipsState {
  PicState pic[2];              // master, slave
  IoapicState ioapic;
  PitState pit;
};
static_assert(sizeof(ChipsState) == 360);

// clang-format on

}  // namespace rz
