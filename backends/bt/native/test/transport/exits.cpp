// Both ends as they should behave: exits, commands, doorbells, interrupts, invalidations, consoles.
#include <string.h>

#include <thread>

#include "transport_test.h"

using namespace rz;
using namespace rz::shared;
using rz::test::Pair;

CASE(header_arrives, "the engine sees the configuration that the host wrote") {
  Pair pair;
  const Header& header = pair.peer.header();
  CHECK(header.vcpus == 3 && header.ranges == 2 && header.uarts == 2);
  CHECK(header.range[1].base == 0xffff0000 && header.range[1].ram_offset == 0x1f0000 && header.range[1].read_only == 1);
  CHECK(header.top == 1ull << 32);
  CHECK(strcmp(header.name, "pair") == 0 && strcmp(header.options, "noOpt=1\n") == 0);
}

CASE(ram_is_shared, "a byte that one end writes to guest RAM is there at the other") {
  Pair pair;
  pair.link->ram()->data()[12345] = 7;
  CHECK(pair.peer.ram()[12345] == 7);
}

CASE(exit_round_trip, "an exit is answered with the host's value, many times, across threads") {
  Pair pair;
  constexpr u64 kRounds = 2000;
  std::thread vcpu([&] {
    for (u64 i = 0; i < kRounds; ++i) CHECK(pair.peer.exit(1, ExitKind::kMmioRead, 0xfed00000 + i, 8, 0) == ~i);
  });
  u64 served = 0;
  while (served < kRounds) {
    pair.link->wait_for_work(1'000'000'000, 0);
    const host::Work work = pair.link->take_work();
    if ((work.exits & ~2ull) != 0) CHECK(!"an exit of a vCPU that made none");
    host::Exit exit;
    if ((work.exits & 2) == 0 || !pair.link->read_exit(1, exit)) continue;
    CHECK(exit.kind == ExitKind::kMmioRead && exit.address == 0xfed00000 + served && exit.size == 8);
    pair.link->answer_exit(exit, ~served);
    ++served;
  }
  vcpu.join();
}

CASE(commands, "a command carries its operand there and its answer back, and only once") {
  Pair pair;
  const u8 operand[3] = {1, 2, 3};
  CHECK(pair.link->post_command(Command::kSetRegisters, 2, operand, 3));
  Command op;
  u32 vcpu, bytes;
  CHECK((pair.peer.take_work(~0u) & kWorkCommand) != 0);
  CHECK(pair.peer.take_command(op, vcpu, bytes) && op == Command::kSetRegisters && vcpu == 2 && bytes == 3);
  CHECK(!pair.peer.take_command(op, vcpu, bytes));
  CHECK(memcmp(pair.peer.area().transfer, operand, 3) == 0);
  host::CommandReply reply;
  CHECK(!pair.link->take_reply(reply));
  pair.peer.area().transfer[0] = 9;
  pair.peer.answer_command(CommandStatus::kBusy, 1);
  CHECK((pair.link->take_work().command & 1) != 0);
  CHECK(pair.link->take_reply(reply) && reply.status == CommandStatus::kBusy && reply.bytes == std::vector<u8>{9});
  CHECK(!pair.link->post_command(Command::kLoadState, 0, operand, kTransferBytes + 1));
}

CASE(doorbells, "a doorbell matches its bus, address, size and value, and nothing else") {
  Pair pair;
  pair.link->set_doorbell(5, doorbell_key(true, 2, 0xc0000050, false), 0);
  pair.link->set_doorbell(200, doorbell_key(false, 4, 0x600, true), 42);
  CHECK(!pair.peer.ring_doorbell(0, true, 0xc0000050, 4, 1));
  CHECK(!pair.peer.ring_doorbell(0, false, 0xc050, 2, 1));
  CHECK(!pair.peer.ring_doorbell(0, false, 0x600, 4, 41));
  CHECK(pair.peer.ring_doorbell(0, true, 0xc0000050, 2, 77));
  CHECK(pair.peer.ring_doorbell(0, false, 0x600, 4, 42));
  const host::Work work = pair.link->take_work();
  CHECK(work.doorbells[0] == 1ull << 5 && work.doorbells[3] == 1ull << (200 - 192));
  pair.link->clear_doorbell(5);
  CHECK(!pair.peer.ring_doorbell(0, true, 0xc0000050, 2, 77));
}

CASE(interrupts, "lines and messages arrive in order, also more than the ring holds") {
  Pair pair;
  for (u32 i = 0; i < 3 * kIrqEntries; ++i) pair.link->msi(0xfee00000, i);
  pair.link->set_line(5, true);
  u32 next = 0;
  bool line = false;
  for (int round = 0; round < 10 && !line; ++round) {
    IrqEntry entry;
    while (pair.peer.area().irq.pop(entry)) {
      if (entry.address != 0)
        CHECK(entry.data == next++);
      else
        line = entry.data == (5 << 1 | 1) && next == 3 * kIrqEntries;
    }
    CHECK(pair.peer.area().irq.overflow.exchange(0) == (round < 3 ? 1u : 0u));
    CHECK(pair.link->has_work() == !line);
    (void)pair.link->take_work();  // the host fills up from its backlog
  }
  CHECK(line);
}

CASE(invalidations, "a change of guest memory is posted for pages with code, in runs, and for no other") {
  Pair pair;
  auto* bitmap = pair.peer.code_bitmap();
  auto mark = [&](u64 page) { bitmap[page / 64].fetch_or(1ull << (page % 64)); };
  pair.link->touched(0, 1 << 20);
  CHECK(pair.peer.area().invalidation.empty());
  for (u64 page : {3, 63, 64, 65, 200}) mark(page);
  mark(0xfffff);
  pair.link->touched(0x3800, 0x100);
  InvalidationEntry entry;
  CHECK(pair.peer.area().invalidation.pop(entry) && entry.gpa == 0x3800 && entry.bytes == 0x100);
  pair.link->touched(0x3f00, (66 << 12) - 0x3f00);
  CHECK(pair.peer.area().invalidation.pop(entry) && entry.gpa == 0x3f00 && entry.bytes == 0x100);
  CHECK(pair.peer.area().invalidation.pop(entry) && entry.gpa == 63 << 12 && entry.bytes == 3 << 12);
  CHECK(pair.peer.area().invalidation.empty());
  pair.link->touched(0xfffff800, ~0ull);
  CHECK(pair.peer.area().invalidation.pop(entry) && entry.gpa == 0xfffff800 && entry.bytes == 0x800);
  for (u32 i = 0; i <= kInvalidationEntries; ++i) pair.link->touched(0x3000, 1);
  CHECK(pair.peer.area().invalidation.overflow.load() == 1);
}

CASE(consoles, "console bytes arrive, and a UART that found its ring full is told of room") {
  Pair pair;
  ByteRing out = pair.peer.area().uarts[1].output();
  std::vector<u8> text(kUartOutBytes + 10, 'x');
  bool first;
  CHECK(out.write(text.data(), static_cast<u32>(text.size()), first) == kUartOutBytes && first);
  pair.peer.notify_uart(1);
  CHECK(pair.link->take_work().uarts == 2);
  (void)pair.peer.take_work(~0u);
  u8 into[100];
  CHECK(pair.link->uart_read(1, into, sizeof into) == 100 && into[99] == 'x');
  CHECK((pair.peer.take_work(~0u) & kWorkUart) != 0);
  CHECK(pair.link->uart_read(2, into, sizeof into) == 0);
  CHECK(pair.link->uart_write(0, into, 5) == 5);
  CHECK(pair.peer.area().uarts[0].input().waiting() == 5);
}
