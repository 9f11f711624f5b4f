// 8259A pair; see pic.h.
#include "pic.h"

namespace rz {
namespace {

constexpr u8 bit(unsigned n) { return static_cast<u8>(1u << n); }

}  // namespace

void PicPair::reset() {
  chips_[kMaster] = {};
  chips_[kSlave] = {};
  chips_[kMaster].elcr_mask = 0xF8;  // inputs 0, 1, 2, 8 and 13 are edge triggered for good
  chips_[kSlave].elcr_mask = 0xDE;
  level_ = false;
}

// ICW1: forget requests and programming; level-triggered inputs show their lines again.
void PicPair::reset_chip(Chip& chip) {
  const u8 lines = chip.last_irr;
  const u8 elcr = chip.elcr, elcr_mask = chip.elcr_mask;
  chip = {};
  chip.elcr = elcr;
  chip.elcr_mask = elcr_mask;
  chip.last_irr = lines & elcr;  // an edge input must fall and rise again, or rise after this
  chip.irr = lines & elcr;
}

void PicPair::drive(Chip& chip, unsigned input, bool level) {
  const u8 mask = bit(input);
  if (level) {
    if ((chip.elcr & mask) != 0 || (chip.last_irr & mask) == 0) chip.irr |= mask;
    chip.last_irr |= mask;
  } else {
    if ((chip.elcr & mask) != 0) chip.irr &= ~mask;
    chip.last_irr &= ~mask;
  }
}

unsigned PicPair::rank(const Chip& chip, u8 bits) {
  if (bits == 0) return 8;
  const unsigned turned = (bits | bits << 8) >> chip.priority_add;  // highest priority comes to bit 0
  return static_cast<unsigned>(__builtin_ctz(turned));
}

int PicPair::pending(const Chip& chip) const {
  const u8 requests = chip.irr & ~chip.imr;
  const unsigned wanted = rank(chip, requests);
  if (wanted == 8) return -1;
  u8 in_service = chip.isr;
  if (chip.special_mask) in_service &= ~chip.imr;
  // Special fully nested: further requests of the slave pass although one of its is in service.
  if (chip.special_fully_nested_mode && &chip == &chips_[kMaster]) in_service &= ~bit(kCascade);
  if (wanted >= rank(chip, in_service)) return -1;
  return static_cast<int>((wanted + chip.priority_add) & 7);
}

void PicPair::serve(Chip& chip, unsigned input) {
  const u8 mask = bit(input);
  if (!chip.auto_eoi) {
    chip.isr |= mask;
  } else if (chip.rotate_on_auto_eoi) {
    chip.priority_add = (input + 1) & 7;
  }
  if ((chip.elcr & mask) == 0) chip.irr &= ~mask;  // an edge is consumed, a level stands
}

void PicPair::update() {
  drive(chips_[kMaster], kCascade, pending(chips_[kSlave]) >= 0);
  const bool level = pending(chips_[kMaster]) >= 0;
  if (level == level_) return;
  level_ = level;
  output_(context_, level);
}

// After an acknowledge both INT outputs have been low for a moment.
void PicPair::pulse() {
  drive(chips_[kMaster], kCascade, false);
  if (level_) {
    level_ = false;
    output_(context_, false);
  }
  update();
}

void PicPair::set_line(unsigned irq, bool level) {
  if (irq == kCascade || irq > 15) return;
  drive(chips_[irq >> 3], irq & 7, level);
  update();
}

u8 PicPair::acknowledge() {
  Chip& master = chips_[kMaster];
  const int input = pending(master);
  if (input < 0) return master.irq_base + 7;  // spurious: no in-service bit is set
  serve(master, static_cast<unsigned>(input));
  u8 vector = static_cast<u8>(master.irq_base + input);
  if (input == kCascade) {
    Chip& slave = chips_[kSlave];
    const int slave_input = pending(slave);
    if (slave_input >= 0) serve(slave, static_cast<unsigned>(slave_input));
    vector = static_cast<u8>(slave.irq_base + (slave_input >= 0 ? slave_input : 7));
  }
  pulse();
  return vector;
}

u8 PicPair::poll(Chip& chip) {
  chip.poll = 0;
  const int input = pending(chip);
  if (input < 0) return 0;
  serve(chip, static_cast<unsigned>(input));
  pulse();
  return static_cast<u8>(0x80 | input);
}

u8 PicPair::read(u16 port) {
  if (port >= 0x4D0) return chips_[port & 1].elcr;
  Chip& chip = chips_[port >= 0xA0 ? kSlave : kMaster];
  if (chip.poll) return poll(chip);
  if ((port & 1) != 0) return chip.imr;
  return chip.read_reg_select ? chip.isr : chip.irr;
}

void PicPair::write(u16 port, u8 value) {
  if (port >= 0x4D0) {
    Chip& chip = chips_[port & 1];
    chip.elcr = value & chip.elcr_mask;
    chip.irr = (chip.irr & ~chip.elcr) | (chip.last_irr & chip.elcr);
  } else {
    Chip& chip = chips_[port >= 0xA0 ? kSlave : kMaster];
    if ((port & 1) != 0)
      write_data(chip, value);
    else
      write_command(chip, value);
  }
  update();
}

void PicPair::write_command(Chip& chip, u8 value) {
  if ((value & 0x10) != 0) {  // ICW1; its LTIM bit yields to the ELCR on a PC, and single mode cannot be wired
    reset_chip(chip);
    chip.init4 = value & 1;
    chip.init_state = 1;
    return;
  }
  if ((value & 0x08) != 0) {  // OCW3
    if ((value & 0x04) != 0) chip.poll = 1;
    if ((value & 0x02) != 0) chip.read_reg_select = value & 1;
    if ((value & 0x40) != 0) chip.special_mask = (value >> 5) & 1;
    return;
  }
  const unsigned input = value & 7;  // OCW2
  const bool rotate = (value & 0x80) != 0;
  switch ((value >> 5) & 3) {
    case 0: chip.rotate_on_auto_eoi = rotate; break;
    case 1: {  // non-specific EOI: the in-service bit of highest priority, masked ones apart under special mask
      const unsigned highest = rank(chip, chip.special_mask ? chip.isr & ~chip.imr : chip.isr);
      if (highest == 8) break;
      const unsigned served = (highest + chip.priority_add) & 7;
      chip.isr &= ~bit(served);
      if (rotate) chip.priority_add = (served + 1) & 7;
      break;
    }
    case 2:
      if (rotate) chip.priority_add = (input + 1) & 7;
      break;  // set priority; without rotate: no operation
    case 3:
      chip.isr &= ~bit(input);
      if (rotate) chip.priority_add = (input + 1) & 7;
      break;
  }
}

void PicPair::write_data(Chip& chip, u8 value) {
  switch (chip.init_state) {
    case 0: chip.imr = value; break;
    case 1:
      chip.irq_base = value & 0xF8;
      chip.init_state = 2;
      break;
    case 2: chip.init_state = chip.init4 ? 3 : 0; break;  // ICW3 describes wiring that a PC has fixed
    case 3:
      chip.special_fully_nested_mode = (value >> 4) & 1;
      chip.auto_eoi = (value >> 1) & 1;
      chip.init_state = 0;
      break;
  }
}

void PicPair::save(PicState (&state)[2]) const {
  state[0] = chips_[0];
  state[1] = chips_[1];
}

void PicPair::load(const PicState (&state)[2]) {
  for (unsigned i = 0; i < 2; ++i) {
    chips_[i] = state[i];
    chips_[i].priority_add &= 7;
    chips_[i].elcr_mask = i == kMaster ? 0xF8 : 0xDE;
    chips_[i].elcr &= chips_[i].elcr_mask;
  }
  level_ = false;
  update();
}

}  // namespace rz
