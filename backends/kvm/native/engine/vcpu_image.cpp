// Conversion of one vCPU.
#include "vcpu_image.h"

#include <string.h>

#include <algorithm>
#include <iterator>

#include "registers.h"

namespace rz::kvm {

using state::OneVcpu;

namespace {

constexpr u32 kApicId = 0x20, kApicVersion = 0x30, kApicIsr = 0x100, kApicIrr = 0x200, kApicLvtTimer = 0x320,
              kApicInitialCount = 0x380, kApicCurrentCount = 0x390, kApicDivide = 0x3e0;
constexpr u32 kTimerMode = 3 << 17, kTimerPeriodic = 1 << 17;
constexpr u32 kApicVersionValue = 0x14 | 5 << 16;
constexpr u64 kApicBaseX2 = 1 << 10;

u32 page_read(const kvm_lapic_state& page, u32 at) {
  u32 value;
  memcpy(&value, page.regs + at, 4);
  return value;
}
void page_write(kvm_lapic_state& page, u32 at, u32 value) { memcpy(page.regs + at, &value, 4); }

u32 apic_divider(const kvm_lapic_state& page) {
  const u32 divide = page_read(page, kApicDivide);
  return 1u << ((((divide & 3) | (divide & 8) >> 1) + 1) & 7);
}

/// An interrupt that the processor has acknowledged and not delivered goes back to where it came from.
void give_back(u8 vector, kvm_lapic_state& page, PicState (&pic)[2]) {
  const u32 word = vector / 32 * 16, bit = 1u << vector % 32;
  if ((page_read(page, kApicIsr + word) & bit) != 0) {
    page_write(page, kApicIsr + word, page_read(page, kApicIsr + word) & ~bit);
    page_write(page, kApicIrr + word, page_read(page, kApicIrr + word) | bit);
    return;
  }
  for (PicState& chip : pic) {
    if (vector < chip.irq_base || vector - chip.irq_base >= 8) continue;
    const u8 input = static_cast<u8>(1u << (vector - chip.irq_base));
    chip.isr &= static_cast<u8>(~input);
    chip.irr |= input;
    if (&chip == &pic[1]) {  // its cascade
      pic[0].isr &= static_cast<u8>(~4u);
      pic[0].irr |= 4;
    }
  }
}

size_t xsave_bytes(const std::vector<u8>& image) {
  u64 present;
  memcpy(&present, image.data() + 512, 8);
  size_t end = 576;
  for (u32 i = 2; i < 63; ++i) {
    if ((present >> i & 1) == 0) continue;
    u32 size, offset, c, d;
    asm volatile("cpuid" : "=a"(size), "=b"(offset), "=c"(c), "=d"(d) : "a"(0xd), "c"(i));
    end = std::max<size_t>(end, size_t{size} + offset);
  }
  return std::min(end, image.size());
}

void save_lapic(const VcpuState& s, u64 deadline, u32 index, OneVcpu& one) {
  LapicState& out = one.lapic;
  kvm_lapic_state page = s.lapic;
  out = {};
  out.apic_id = index;
  if (s.events.nmi.pending || s.events.nmi.injected) out.pending |= LapicState::kPendingNmi;
  out.startup_vector = s.events.sipi_vector & 0xff;
  out.apic_base = s.sregs.apic_base;
  out.tsc_deadline = deadline;
  const u32 left = page_read(page, kApicCurrentCount);
  // A periodic timer never stands while it has something to count: 0 is the moment between two periods.
  const bool counts = left != 0 || (page_read(page, kApicInitialCount) != 0 &&
                                    (page_read(page, kApicLvtTimer) & kTimerMode) == kTimerPeriodic);
  out.timer_left_ns = counts ? u64{left} * apic_divider(page) : ~0ull;  // KVM counts at 1 GHz
  page_write(page, kApicVersion, kApicVersionValue);
  if ((s.sregs.apic_base & kApicBaseX2) != 0) page_write(page, kApicId, page_read(page, kApicId) >> 24);
  memcpy(out.regs, page.regs, sizeof out.regs);
}

void load_lapic(const OneVcpu& one, VcpuState& s) {
  memcpy(s.lapic.regs, one.lapic.regs, sizeof s.lapic.regs);
  s.sregs.apic_base = one.lapic.apic_base;
  if ((one.lapic.apic_base & kApicBaseX2) != 0) page_write(s.lapic, kApicId, page_read(s.lapic, kApicId) << 24);
  const u64 left = one.lapic.timer_left_ns;
  const u64 counts = (left + apic_divider(s.lapic) - 1) / apic_divider(s.lapic);
  // 0 is a timer that stands: one that is due now has a count to go.
  page_write(s.lapic, kApicCurrentCount, left == ~0ull ? 0 : static_cast<u32>(std::clamp<u64>(counts, 1, ~0u)));
}

}  // namespace

void save_vcpu(VcpuState s, u32 index, bool shut_down, u64 deadline, PicState (&pic)[2], OneVcpu& one) {
  if (s.events.interrupt.injected && !s.events.interrupt.soft) give_back(s.events.interrupt.nr, s.lapic, pic);
  one.registers = image_of(s.regs, s.sregs);
  VcpuImage& v = one.vcpu;
  v = {};
  v.xcr0 = 1;
  for (u32 i = 0; i < s.xcrs.nr_xcrs; ++i) {
    if (s.xcrs.xcrs[i].xcr == 0) v.xcr0 = s.xcrs.xcrs[i].value;
  }
  memcpy(v.dr, s.debug.db, sizeof s.debug.db);
  if (s.has_pdptrs) memcpy(v.pdpte, s.pdptrs, sizeof v.pdpte);
  v.dr[6] = s.debug.dr6;
  v.dr[7] = s.debug.dr7;
  // INT3 and INTO, when their delivery was cut short, are found at RIP again.
  const bool software = s.events.exception.injected && (s.events.exception.nr == 3 || s.events.exception.nr == 4);
  const bool exception = (s.events.exception.injected || s.events.exception.pending) && !software;
  v.exception_vector = exception ? s.events.exception.nr : u8{0xff};
  v.exception_has_error = exception && s.events.exception.has_error_code;
  v.exception_error = v.exception_has_error ? s.events.exception.error_code : 0;
  v.exception_cr2 = exception && s.events.exception.nr == 14 ? s.sregs.cr2 : 0;
  v.halted = s.mp.mp_state == KVM_MP_STATE_HALTED ? 1 : s.mp.mp_state == KVM_MP_STATE_RUNNABLE ? 0 : 2;
  v.nmi_blocked = s.events.nmi.masked && !s.events.nmi.injected;
  if ((s.events.interrupt.shadow & KVM_X86_SHADOW_INT_STI) != 0) v.interrupt_shadow |= VcpuImage::kShadowSti;
  if ((s.events.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS) != 0) v.interrupt_shadow |= VcpuImage::kShadowMovSs;
  v.shut_down = shut_down;
  one.xsave = s.xsave;
  one.xsave.resize(xsave_bytes(one.xsave));
  save_lapic(s, deadline, index, one);
}

void load_vcpu(const OneVcpu& one, VcpuState& s) {
  const VcpuImage& v = one.vcpu;
  apply_image(one.registers, s.regs, s.sregs);
  // A state without them leaves the look into memory to KVM.
  memcpy(s.pdptrs, v.pdpte, sizeof s.pdptrs);
  s.has_pdptrs = pae_paging(one.registers.cr0, one.registers.cr4, one.registers.efer) &&
                 std::any_of(std::begin(v.pdpte), std::end(v.pdpte), [](u64 entry) { return entry != 0; });
  load_lapic(one, s);
  s.sregs.cr8 = page_read(s.lapic, 0x80) >> 4 & 15;
  s.xcrs = {};
  s.xcrs.nr_xcrs = 1;
  s.xcrs.xcrs[0].value = v.xcr0;
  memcpy(s.debug.db, v.dr, sizeof s.debug.db);
  s.debug.dr6 = v.dr[6];
  s.debug.dr7 = v.dr[7];
  s.events = {};
  if (v.exception_vector != 0xff) {
    s.events.exception.injected = 1;
    s.events.exception.nr = v.exception_vector;
    s.events.exception.has_error_code = v.exception_has_error;
    s.events.exception.error_code = v.exception_error;
    if (v.exception_vector == 14) s.sregs.cr2 = v.exception_cr2;
  }
  s.events.nmi.pending = (one.lapic.pending & LapicState::kPendingNmi) != 0;
  s.events.nmi.masked = v.nmi_blocked;
  s.events.flags = KVM_VCPUEVENT_VALID_SIPI_VECTOR;
  s.events.sipi_vector = one.lapic.startup_vector;
  if ((v.interrupt_shadow & VcpuImage::kShadowSti) != 0) s.events.interrupt.shadow |= KVM_X86_SHADOW_INT_STI;
  if ((v.interrupt_shadow & VcpuImage::kShadowMovSs) != 0) s.events.interrupt.shadow |= KVM_X86_SHADOW_INT_MOV_SS;
  s.mp.mp_state = v.halted == 1   ? KVM_MP_STATE_HALTED
                  : v.halted == 2 ? KVM_MP_STATE_INIT_RECEIVED
                                  : KVM_MP_STATE_RUNNABLE;
  if (v.halted == 2 && (one.lapic.pending & LapicState::kPendingSipi) != 0) s.mp.mp_state = KVM_MP_STATE_SIPI_RECEIVED;
  std::fill(s.xsave.begin(), s.xsave.end(), 0);
  std::copy(one.xsave.begin(), one.xsave.end(), s.xsave.begin());
  s.msrs.clear();  // set one by one, and checked
}

}  // namespace rz::kvm
