// One end lies: the host must read no further than its memory, and say no to what cannot be.
#include <stddef.h>
#include <string.h>

#include <random>

#include "transport_test.h"

using namespace rz;
using namespace rz::shared;
using rz::test::Pair;

CASE(exit_kinds, "an exit with an impossible kind, size or address is answered with all ones and not shown") {
  struct {
    u32 kind;
    u32 size;
    u64 address;
  } const bad[] = {{0, 4, 0},       {99, 4, 0}, {1, 3, 0},          {1, 8, 0},      {2, 0, 0},
                   {1, 4, 0x10000}, {3, 16, 0}, {4, 8, 1ull << 52}, {3, ~0u, ~0ull}};
  for (const auto& b : bad) {
    Pair pair;
    ExitMailbox& box = pair.peer.area().exits[0];
    box.kind = b.kind;
    box.size = b.size;
    box.address = b.address;
    box.posted = 1;
    host::Exit exit;
    CHECK(!pair.link->read_exit(0, exit));
    CHECK(box.answered.load() == 1 && box.reply == ~0ull);
  }
}

CASE(values_are_cut, "a value wider than its access is cut by the host") {
  Pair pair;
  ExitMailbox& box = pair.peer.area().exits[0];
  box.kind = static_cast<u32>(ExitKind::kPortOut);
  box.size = 2;
  box.value = ~0ull;
  box.posted = 1;
  host::Exit exit;
  CHECK(pair.link->read_exit(0, exit) && exit.value == 0xffff);
}

CASE(pending_bits, "pending bits of vCPUs and UARTs that do not exist are ignored") {
  Pair pair;
  HostPending& pending = pair.peer.area().host_pending;
  pending.exits = ~0ull;
  pending.uarts = ~0u;
  const host::Work work = pair.link->take_work();
  CHECK(work.exits == 7 && work.uarts == 3);
  CHECK(!pair.link->has_work());
}

CASE(long_replies, "a reply longer than the transfer area is cut to it, and an unknown status is a failure") {
  Pair pair;
  CHECK(pair.link->post_command(Command::kSaveState, 0, nullptr, 0));
  Command op;
  u32 vcpu, bytes;
  CHECK(pair.peer.take_command(op, vcpu, bytes));
  pair.peer.answer_command(static_cast<CommandStatus>(12345), ~0u);
  host::CommandReply reply;
  CHECK(pair.link->take_reply(reply) && reply.status == CommandStatus::kFailed && reply.bytes.size() == kTransferBytes);
}

CASE(recorder_of_noise, "a flight recorder full of noise is described in bounds and in printable text") {
  Pair pair;
  std::mt19937_64 random(1);
  for (int round = 0; round < 50; ++round) {
    auto* words = reinterpret_cast<u64*>(&pair.peer.area().flight);
    for (size_t i = 0; i < sizeof(FlightRecorder) / 8; ++i) words[i] = random();
    pair.peer.area().heartbeat_ns = random();
    pair.peer.publish_page_map(0, 0, static_cast<u32>(random() >> (round % 64)));
    const std::string text = pair.link->flight_text();
    CHECK(text.size() < kFlightTextBytes + kFlightEvents * 160 + 3 * 1000);
    for (char c : text) CHECK(c == '\n' || (c >= ' ' && c <= '~'));
  }
}

CASE(noise_everywhere, "every call of the host survives noise behind the header") {
  Pair pair;
  std::mt19937_64 random(2);
  u8* const first = pair.link->control_region().data() + offsetof(ControlArea, host_events);
  u8* const end = pair.link->control_region().data() + pair.link->control_region().bytes();
  u8 buffer[5000];
  for (int round = 0; round < 300; ++round) {
    for (u8* at = first; at + 8 <= end; at += 8 * (1 + random() % 64)) {
      const u64 noise = random();
      memcpy(at, &noise, 8);
    }
    (void)pair.link->has_work();
    (void)pair.link->take_work();
    for (u32 vcpu = 0; vcpu < 3; ++vcpu) {
      host::Exit exit;
      if (pair.link->read_exit(vcpu, exit)) pair.link->answer_exit(exit, 1);
    }
    host::CommandReply reply;
    (void)pair.link->post_command(Command::kRun, 0, buffer, 100);
    (void)pair.link->take_reply(reply);
    pair.link->msi(0xfee00000, 1);
    pair.link->touched(random() % (1 << 20), 100'000);
    CHECK(pair.link->uart_read(0, buffer, sizeof buffer) <= sizeof buffer);
    CHECK(pair.link->uart_write(1, buffer, sizeof buffer) <= sizeof buffer);
    pair.link->set_doorbell(round % kMaxDoorbells, doorbell_key(true, 4, 0x1000, false), 0);
    (void)pair.link->flight_text();
    pair.link->wait_for_work(1000, 0);
  }
}

CASE(bad_headers, "the engine refuses a control area of another version, size or shape") {
  struct {
    const char* what;
    void (*spoil)(Header&);
  } const ways[] = {
      {"magic", [](Header& h) { h.magic = 0; }},
      {"version", [](Header& h) { h.version = 99; }},
      {"vcpus", [](Header& h) { h.vcpus = 65; }},
      {"no vcpus", [](Header& h) { h.vcpus = 0; }},
      {"ranges", [](Header& h) { h.ranges = 33; }},
      {"uarts", [](Header& h) { h.uarts = 5; }},
      {"ram", [](Header& h) { h.ram_bytes += 4096; }},
      {"top", [](Header& h) { h.top = ~0ull; }},
      {"outside", [](Header& h) { h.range[1].ram_offset = h.ram_bytes; }},
      {"misaligned", [](Header& h) { h.range[0].base = 1; }},
  };
  for (const auto& way : ways) {
    Pair pair;
    way.spoil(pair.peer.area().header);
    peer::EnginePeer second;
    const char* why = nullptr;
    CHECK(!second.open(pair.link->ram()->fd(), pair.link->control_region().fd(), &why) && why != nullptr);
  }
}
