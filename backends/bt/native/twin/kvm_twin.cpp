// See kvm_twin.h. Registers are exchanged in the page that KVM_RUN shares (KVM_CAP_SYNC_REGS), for a system call a step
// costs more than the step.
#include "kvm_twin.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "state/kvm_registers.h"

namespace rz {
namespace {

constexpr unsigned kCpuidEntries = 256;
// Structures with a flexible array have other sizes in C++ than in C, by the kernel's macro for it: give the numbers
// here.
constexpr unsigned long kGetXsave = _IOC(_IOC_READ, KVMIO, 0xa4, 4096);
constexpr unsigned long kSetXsave = _IOC(_IOC_WRITE, KVMIO, 0xa5, 4096);
constexpr unsigned long kGetSupportedCpuid = _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, 8);
constexpr unsigned long kSetCpuid2 = _IOC(_IOC_WRITE, KVMIO, 0x90, 8);
constexpr unsigned long kSetMsrs = _IOC(_IOC_WRITE, KVMIO, 0x89, 8);
constexpr u64 kTssPages = 0xfffbd000;  // three pages that Intel's processors want in real mode, above any RAM
constexpr u64 kSynced = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
constexpr unsigned kPatience = 5;  // ticks of the caller's timer in one step

struct Msr {
  u32 count = 1, pad = 0;
  kvm_msr_entry entry = {};
};

kvm_segment segment_of(const Segment& s) { return kvm_segment_of({s.selector, s.attributes, s.limit, s.base}); }

}  // namespace

KvmTwin::~KvmTwin() {
  if (run_) munmap(run_, run_bytes_);
  for (const int fd : {cpu_, vm_, kvm_})
    if (fd >= 0) close(fd);
  for (const auto& [at, bytes] : mappings_) munmap(at, bytes);
}

bool KvmTwin::open(const PhysMemory& memory, std::string& error) {
  first_ = &memory;
  const auto fail = [&](const char* what) {
    error = std::string(what) + ": " + strerror(errno);
    return false;
  };
  kvm_ = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm_ < 0) return fail("/dev/kvm");
  if ((ioctl(kvm_, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS) & kSynced) != kSynced ||
      ioctl(kvm_, KVM_CHECK_EXTENSION, KVM_CAP_SET_GUEST_DEBUG) <= 0) {
    error =
        "/dev/kvm: its KVM has no single steps (KVM_CAP_SET_GUEST_DEBUG) or shares no registers (KVM_CAP_SYNC_REGS)";
    return false;
  }
  vm_ = ioctl(kvm_, KVM_CREATE_VM, 0);
  if (vm_ < 0) return fail("KVM_CREATE_VM");
  ioctl(vm_, KVM_SET_TSS_ADDR, kTssPages);
  for (unsigned i = 0; i < memory.count(); i++) {
    const MemorySlot& slot = memory.slot(i);
    void* const at =
        mmap(nullptr, slot.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return fail("memory for the guest");
    mappings_.emplace_back(static_cast<u8*>(at), slot.bytes);
    if (!memory_.add({slot.base, slot.bytes, static_cast<u8*>(at), slot.read_only})) return fail("a memory range");
    const kvm_userspace_memory_region region = {i, static_cast<u32>(slot.read_only ? KVM_MEM_READONLY : 0), slot.base,
                                                slot.bytes, reinterpret_cast<u64>(at)};
    if (ioctl(vm_, KVM_SET_USER_MEMORY_REGION, &region) < 0) return fail("KVM_SET_USER_MEMORY_REGION");
    copy_ram(slot.base, slot.bytes);
  }
  return create_cpu(error);
}

/// Source: SDM vol. 3, "Control Registers", by which CPUID bit allows each bit of CR4.
void KvmTwin::note_cr4(const kvm_cpuid_entry2& entry) {
  constexpr u64 kAlways = kCr4VME | kCr4PVI | kCr4TSD | kCr4DE | kCr4PSE | kCr4PAE | kCr4MCE | kCr4PGE | kCr4PCE |
                          kCr4OSFXSR | kCr4OSXMMEXCPT;
  const auto bit = [](u32 word, unsigned n, u64 cr4) { return word >> n & 1 ? cr4 : u64{0}; };
  known_cr4_ |= kAlways;
  if (entry.function == 1) known_cr4_ |= bit(entry.ecx, 17, kCr4PCIDE) | bit(entry.ecx, 26, kCr4OSXSAVE);
  if (entry.function == 7 && entry.index == 0)
    known_cr4_ |= bit(entry.ebx, 0, kCr4FSGSBASE) | bit(entry.ebx, 7, kCr4SMEP) | bit(entry.ebx, 20, kCr4SMAP) |
                  bit(entry.ecx, 2, kCr4UMIP) | bit(entry.ecx, 3, kCr4PKE) | bit(entry.ecx, 16, kCr4LA57);
}

bool KvmTwin::create_cpu(std::string& error) {
  const auto fail = [&](const char* what) {
    error = std::string(what) + ": " + strerror(errno);
    return false;
  };
  cpu_ = ioctl(vm_, KVM_CREATE_VCPU, 0);
  if (cpu_ < 0) return fail("KVM_CREATE_VCPU");
  std::vector<u32> cpuid(2 + kCpuidEntries * sizeof(kvm_cpuid_entry2) / 4);
  cpuid[0] = kCpuidEntries;
  if (ioctl(kvm_, kGetSupportedCpuid, cpuid.data()) < 0) return fail("KVM_GET_SUPPORTED_CPUID");
  for (u32 i = 0; i < cpuid[0]; i++) {
    kvm_cpuid_entry2 entry;
    memcpy(&entry, cpuid.data() + 2 + i * (sizeof entry / 4), sizeof entry);
    note_cr4(entry);
    if (entry.function == 0xd && entry.index == 0) components_ = entry.eax | static_cast<u64>(entry.edx) << 32;
  }
  if (ioctl(cpu_, kSetCpuid2, cpuid.data()) < 0) return fail("KVM_SET_CPUID2");
  run_bytes_ = static_cast<u64>(ioctl(kvm_, KVM_GET_VCPU_MMAP_SIZE, 0));
  void* const run = mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, cpu_, 0);
  if (run == MAP_FAILED) return fail("the page of KVM_RUN");
  run_ = static_cast<kvm_run*>(run);
  run_->kvm_valid_regs = kSynced;
  return ioctl(cpu_, KVM_GET_SREGS, &reset_) == 0 || fail("KVM_GET_SREGS");
}

void KvmTwin::copy_ram(u64 gpa, u64 bytes) {
  constexpr u64 kPiece = 4096;
  while (bytes > 0) {
    const u64 room = kPiece - (gpa & (kPiece - 1)), now = bytes < room ? bytes : room;
    const u8* from = first_->host(gpa);
    u8* to = memory_.host(gpa);
    if (from && to && memcmp(to, from, now) != 0) memcpy(to, from, now);  // a page of zeros stays unallocated
    gpa += now;
    bytes -= now;
  }
}

void KvmTwin::arm() {
  kvm_guest_debug debug = {};
  debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
  ioctl(cpu_, KVM_SET_GUEST_DEBUG, &debug);
}

const char* KvmTwin::take_over(const Vcpu& v) {
  kvm_regs& regs = run_->s.regs.regs;
  for (unsigned i = 0; i < 16; i++) regs.*kKvmGpr[i] = v.regs[i];
  regs.rip = v.rip;
  regs.rflags = (v.rflags & ~kFlagTF) | 2;
  kvm_sregs sregs = reset_;
  for (unsigned i = 0; i < kSegCount; i++) sregs.*kKvmSegments[i] = segment_of(v.seg[i]);
  sregs.ss.dpl = v.protected_mode() ? v.cpl : 0;  // AMD's processors take the privilege level from here
  sregs.ldt = segment_of(v.ldtr);
  sregs.tr = segment_of(v.tr);
  sregs.gdt.base = v.gdtr.base;
  sregs.gdt.limit = v.gdtr.limit;
  sregs.idt.base = v.idtr.base;
  sregs.idt.limit = v.idtr.limit;
  sregs.cr0 = v.cr0;
  sregs.cr2 = v.cr2;
  sregs.cr3 = v.cr3;
  sregs.cr4 = v.cr4;
  sregs.cr8 = v.cr8;
  sregs.efer = v.msr.efer;
  run_->kvm_dirty_regs = 0;
  if (ioctl(cpu_, KVM_SET_SREGS, &sregs) < 0) return "KVM_SET_SREGS";
  if (ioctl(cpu_, KVM_SET_REGS, &regs) < 0) return "KVM_SET_REGS";
  run_->s.regs.sregs = sregs;
  kvm_xsave xsave = {};
  if (ioctl(cpu_, kGetXsave, &xsave) < 0) return "KVM_GET_XSAVE";
  u8* const image = reinterpret_cast<u8*>(xsave.region);
  u64 present;
  memcpy(&present, v.xsave + 512, 8);
  present &= components_ & 7;
  memcpy(image, v.xsave, 28);             // x87 registers and MXCSR; its mask is the host's
  memcpy(image + 32, v.xsave + 32, 384);  // ST, XMM
  memcpy(image + 512, &present, 8);
  memcpy(image + 576, v.xsave + 576, 256);  // upper halves of YMM
  if (ioctl(cpu_, kSetXsave, &xsave) < 0) return "KVM_SET_XSAVE";
  kvm_xcrs xcrs = {};
  xcrs.nr_xcrs = 1;
  xcrs.xcrs[0].value = v.xcr0;
  if (ioctl(cpu_, KVM_SET_XCRS, &xcrs) < 0) return "KVM_SET_XCRS";
  const u64 msrs[][2] = {{0x174, v.msr.sysenter_cs}, {0x175, v.msr.sysenter_esp}, {0x176, v.msr.sysenter_eip},
                         {0x277, v.msr.pat},         {0xc0000081, v.msr.star},    {0xc0000082, v.msr.lstar},
                         {0xc0000083, v.msr.cstar},  {0xc0000084, v.msr.sfmask},  {0xc0000102, v.msr.kernel_gs_base},
                         {0xc0000103, v.msr.tsc_aux}};
  for (const auto& [index, value] : msrs) {
    Msr one;
    one.entry.index = static_cast<u32>(index);
    one.entry.data = value;
    ioctl(cpu_, kSetMsrs, &one);  // one that this host lacks can hold nothing that the guest sees
  }
  arm();
  return nullptr;
}

const char* KvmTwin::go_to(const kvm_sregs& system, u64 rip, u64 rflags, u64 rsp) {
  kvm_regs& regs = run_->s.regs.regs;
  regs.rip = rip;
  regs.rsp = rsp;
  regs.rflags = (rflags & ~kFlagTF) | 2;
  run_->kvm_dirty_regs = 0;
  run_->s.regs.sregs = system;
  if (ioctl(cpu_, KVM_SET_SREGS, &run_->s.regs.sregs) < 0) return "KVM_SET_SREGS";
  if (ioctl(cpu_, KVM_SET_REGS, &regs) < 0) return "KVM_SET_REGS";
  arm();
  return nullptr;
}

bool KvmTwin::answer(const RecordingBus& devices, unsigned& next, const BusAccess& asked, void* data) {
  char line[200];
  if (next >= devices.count || next >= RecordingBus::kMost) {
    snprintf(line, sizeof line, "KVM alone: %s %s %llx", asked.write ? "writes" : "reads",
             asked.port ? "port" : "address", static_cast<unsigned long long>(asked.at));
    note = line;
    return false;
  }
  const BusAccess& was = devices.seen[next++];
  const bool same = was.port == asked.port && was.write == asked.write && was.at == asked.at &&
                    was.width == asked.width && (!asked.write || was.value == asked.value);
  if (same) {
    if (!asked.write) memcpy(data, &was.value, asked.width);
    return true;
  }
  snprintf(line, sizeof line, "the translator: %s %llx, %u bytes, value %llx; KVM: %s %llx, %u bytes, value %llx",
           was.write ? "writes" : "reads", static_cast<unsigned long long>(was.at), was.width,
           static_cast<unsigned long long>(was.value), asked.write ? "writes" : "reads",
           static_cast<unsigned long long>(asked.at), asked.width, static_cast<unsigned long long>(asked.value));
  note = line;
  return false;
}

bool KvmTwin::serve(const RecordingBus& devices, unsigned& next) {
  u64 value = 0;
  if (run_->exit_reason == KVM_EXIT_MMIO) {
    const auto& m = run_->mmio;
    if (m.is_write) memcpy(&value, m.data, m.len);
    return answer(devices, next, {false, m.is_write != 0, static_cast<u8>(m.len), m.phys_addr, value}, run_->mmio.data);
  }
  const bool write = run_->io.direction == KVM_EXIT_IO_OUT;
  u8* data = reinterpret_cast<u8*>(run_) + run_->io.data_offset;
  for (unsigned i = 0; i < run_->io.count; i++, data += run_->io.size) {
    value = 0;
    if (write) memcpy(&value, data, run_->io.size);
    if (!answer(devices, next, {true, write, run_->io.size, run_->io.port, value}, data)) return false;
  }
  return true;
}

KvmTwin::Step KvmTwin::step(const RecordingBus& devices, unsigned& next) {
  unsigned ticks = 0;
  const u64 start = rip();
  bool completing = false;  // the instruction is through but for the answer of a device
  for (;;) {
    run_->immediate_exit = completing;
    if (ioctl(cpu_, KVM_RUN, 0) < 0) {
      if (errno == EINTR && completing) {
        run_->immediate_exit = 0;
        return Step::kDone;
      }
      if ((errno == EINTR || errno == EAGAIN) && ticks++ < kPatience) {
        if (run_->s.regs.regs.rip == start) arm();  // some forget the step here
        continue;
      }
      note = std::string("KVM_RUN: ") + strerror(errno);
      return errno == EINTR ? Step::kLost : Step::kRefused;
    }
    switch (run_->exit_reason) {
      case KVM_EXIT_DEBUG:
      case KVM_EXIT_HLT: run_->immediate_exit = 0; return Step::kDone;
      case KVM_EXIT_IO:
      case KVM_EXIT_MMIO:
        if (!serve(devices, next)) return Step::kDevices;
        completing = true;
        continue;
      case KVM_EXIT_SHUTDOWN: return Step::kShutdown;
      case KVM_EXIT_INTERNAL_ERROR: return Step::kCannot;
      default: note = "KVM exit " + std::to_string(run_->exit_reason); return Step::kRefused;
    }
  }
}

void KvmTwin::state_into(Vcpu& image) const {
  const kvm_regs& regs = run_->s.regs.regs;
  const kvm_sregs& sregs = run_->s.regs.sregs;
  for (unsigned i = 0; i < 16; i++) image.regs[i] = regs.*kKvmGpr[i];
  image.rip = regs.rip;
  image.rflags = (regs.rflags & ~kFlagTF) | 2;
  for (unsigned i = 0; i < kSegCount; i++) {
    image.seg[i].selector = (sregs.*kKvmSegments[i]).selector;
    image.seg[i].base = (sregs.*kKvmSegments[i]).base;
  }
  image.cr0 = sregs.cr0;
  image.cr2 = sregs.cr2;
  image.cr3 = sregs.cr3;
  image.cr4 = sregs.cr4;
  image.msr.efer = sregs.efer;
  image.cpl = static_cast<u8>((sregs.cr0 & kCr0PE) == 0 ? 0 : (regs.rflags & kFlagVM) != 0 ? 3 : sregs.cs.selector & 3);
  image.exception = PendingException{};
  image.halted = false;  // waiting is never compared
}

bool KvmTwin::vectors_into(Vcpu& image) const {
  kvm_xsave xsave = {};
  if (ioctl(cpu_, kGetXsave, &xsave) < 0) return false;
  memcpy(image.xsave, xsave.region, 1024);
  return true;
}

void KvmTwin::settle_pushed_flags(u64 gpa, bool ring3, u64 rflags) {
  u8* const at = memory_.host(gpa);
  if (!at) return;
  constexpr u8 kTrap = kFlagTF >> 8, kInterrupts = kFlagIF >> 8;
  at[1] &= static_cast<u8>(~kTrap);
  if (ring3) at[1] = static_cast<u8>((at[1] & ~kInterrupts) | (rflags >> 8 & kInterrupts));
}

}  // namespace rz
