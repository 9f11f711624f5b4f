// 16550A and the byte ring under it.
#include <cstring>
#include <string>
#include <thread>

#include "irq_test.h"
#include "uart/uart16550.h"

using namespace rz;
using namespace rz::test;

namespace {

struct UartBench {
  explicit UartBench(u32 out_bytes = 1024, u32 in_bytes = 64)
      : out_area(ByteRing::kHeaderBytes + out_bytes),
        in_area(ByteRing::kHeaderBytes + in_bytes),
        out(out_area.data(), out_bytes),
        in(in_area.data(), in_bytes),
        uart(out, in, wiring()) {}
  UartWiring wiring() {
    return {[](void* c, bool level) {
              auto* b = static_cast<UartBench*>(c);
              b->irq = level;
              if (level) ++b->rises;
            },
            [](void* c) { ++static_cast<UartBench*>(c)->ready; }, [](void* c) { ++static_cast<UartBench*>(c)->room; },
            this};
  }
  std::string drain() {
    std::string text(out.waiting(), '\0');
    out.read(reinterpret_cast<u8*>(text.data()), static_cast<u32>(text.size()));
    return text;
  }
  void type(const char* text) {
    bool first;
    in.write(reinterpret_cast<const u8*>(text), static_cast<u32>(std::strlen(text)), first);
    uart.poll();
  }
  u8 iir() { return uart.read(2) & 0x0F; }

  std::vector<u8> out_area, in_area;
  ByteRing out, in;
  bool irq = false;
  unsigned rises = 0, ready = 0, room = 0;
  Uart16550 uart;
};

}  // namespace

TEST("bytes written to THR come out of the ring, and the host is told when it was empty") {
  UartBench b;
  for (char c : std::string("hello")) b.uart.write(0, static_cast<u8>(c));
  CHECK_EQ(b.uart.read(5), 0x60);
  CHECK_EQ(b.ready, 1);
  CHECK(b.drain() == "hello");
  b.uart.write(0, '!');
  CHECK_EQ(b.ready, 2);
}

TEST("UART interrupts come in their priorities") {
  UartBench b;
  b.uart.write(4, 0x08);  // OUT2
  b.uart.write(2, 0x01);
  CHECK_EQ(b.iir(), 1);
  b.uart.write(1, 0x0F);  // all enabled: THRE is empty, so it interrupts at once
  CHECK(b.irq);
  b.uart.set_modem_inputs(0x80);  // CTS and DSR fall
  b.type("a");
  // An overrun needs loopback.
  b.uart.write(4, 0x18);
  for (int i = 0; i < 17; ++i) b.uart.write(0, 'x');
  CHECK_EQ(b.iir(), 6);  // line status
  CHECK_EQ(b.uart.read(5) & 0x02, 2);
  CHECK_EQ(b.iir(), 4);  // receiver: at its trigger level of 1
  while ((b.uart.read(5) & 1) != 0) b.uart.read(0);
  CHECK_EQ(b.iir(), 2);            // THRE, acknowledged by reading IIR
  CHECK_EQ(b.iir(), 0);            // modem status
  CHECK_EQ(b.uart.read(6), 0x83);  // CTS and DSR changed, DCD stands
  CHECK_EQ(b.iir(), 1);
  CHECK(!b.irq);
}

TEST("THRE interrupt: enabling raises it, IIR acknowledges it, each sent byte raises the line anew") {
  UartBench b;
  b.uart.write(4, 0x08);
  b.uart.write(1, 0x02);
  CHECK(b.irq);
  CHECK_EQ(b.iir(), 2);
  CHECK(!b.irq);
  CHECK_EQ(b.iir(), 1);
  const unsigned before = b.rises;
  b.uart.write(0, 'a');
  b.uart.write(0, 'b');
  CHECK_EQ(b.rises, before + 2);  // an edge-triggered input sees both
  b.uart.write(1, 0x00);
  CHECK(!b.irq);
}

TEST("OUT2 gates the interrupt line") {
  UartBench b;
  b.uart.write(1, 0x02);
  CHECK(!b.irq);
  b.uart.write(4, 0x08);
  CHECK(b.irq);
  b.uart.write(4, 0x00);
  CHECK(!b.irq);
}

TEST("received bytes interrupt at the trigger level, and below it as a timeout") {
  UartBench b;
  b.uart.write(4, 0x08);
  b.uart.write(2, 0xC1);  // 14
  b.uart.write(1, 0x01);
  CHECK_EQ(b.uart.read(2), 0xC1);
  b.type("0123456789abc");  // 13
  CHECK_EQ(b.iir(), 0x0C);
  CHECK(b.irq);
  b.type("d");
  CHECK_EQ(b.iir(), 0x04);
  CHECK_EQ(b.uart.read(0), '0');
  CHECK_EQ(b.iir(), 0x0C);
  for (int i = 0; i < 13; ++i) b.uart.read(0);
  CHECK(!b.irq);
  CHECK_EQ(b.uart.read(5) & 1, 0);
  b.uart.write(2, 0x00);
  CHECK_EQ(b.uart.read(2), 0x01);
}

TEST("input beyond the FIFO waits in its ring, and the host hears when a full ring has room again") {
  UartBench b(1024, 16);
  bool first;
  std::string sent;
  u32 i = 0;
  b.uart.write(2, 0x01);
  std::string text = "The quick brown fox jumps over the lazy dog";
  std::string got;
  while (got.size() < text.size()) {
    i += b.in.write(reinterpret_cast<const u8*>(text.data()) + i, static_cast<u32>(text.size()) - i, first);
    while ((b.uart.read(5) & 1) != 0) got.push_back(static_cast<char>(b.uart.read(0)));
  }
  CHECK(got == text);
  CHECK(b.room >= 2);
  CHECK_EQ(b.uart.read(5) & 2, 0);  // no overrun
}

TEST("without FIFO the receiver holds one byte and loses none") {
  UartBench b;
  b.type("abc");
  CHECK_EQ(b.in.waiting(), 2);
  CHECK_EQ(b.uart.read(0), 'a');
  CHECK_EQ(b.uart.read(0), 'b');
  CHECK_EQ(b.uart.read(0), 'c');
}

TEST("a full output ring keeps THRE clear until the consumer drains, and drops nothing") {
  UartBench b(16);
  b.uart.write(4, 0x08);
  b.uart.write(2, 0x01);
  b.uart.write(1, 0x02);
  b.iir();
  for (int i = 0; i < 16; ++i) b.uart.write(0, static_cast<u8>('A' + i));
  CHECK_EQ(b.uart.read(5), 0x60);
  b.iir();
  for (int i = 0; i < 16; ++i) b.uart.write(0, static_cast<u8>('a' + i));
  CHECK_EQ(b.uart.read(5), 0x00);  // neither THRE nor TEMT
  CHECK(!b.irq);
  u8 three[3];
  CHECK_EQ(b.out.read(three, 3), 3);
  CHECK(b.out.take_starved());
  CHECK(!b.out.take_starved());
  b.uart.poll();
  CHECK_EQ(b.uart.read(5), 0x00);
  CHECK(b.drain() == "DEFGHIJKLMNOPabc");
  b.uart.poll();
  CHECK_EQ(b.uart.read(5), 0x60);
  CHECK(b.irq);
  CHECK_EQ(b.iir(), 2);
  CHECK(b.drain() == "defghijklmnop");
}

TEST("loopback returns data and modem controls, and keeps both rings out") {
  UartBench b;
  b.uart.write(2, 0x01);
  b.uart.write(4, 0x10);
  b.type("host");
  CHECK_EQ(b.uart.read(5) & 1, 0);
  b.uart.write(0, 'Z');
  CHECK_EQ(b.uart.read(5) & 1, 1);
  CHECK_EQ(b.uart.read(0), 'Z');
  CHECK_EQ(b.out.waiting(), 0);
  b.uart.read(6);
  b.uart.write(4, 0x1A);  // RTS and OUT2: the autodetection of PC drivers
  CHECK_EQ(b.uart.read(6) & 0xF0, 0x90);
  b.uart.write(4, 0x15);  // DTR and OUT1
  CHECK_EQ(b.uart.read(6), 0x60 | 0x0B);
  b.uart.write(4, 0x10);  // RI falls: its trailing edge
  CHECK_EQ(b.uart.read(6), 0x00 | 0x06);
  b.uart.write(4, 0x00);
  CHECK_EQ(b.uart.read(5) & 1, 1);  // the host's bytes come now
  CHECK_EQ(b.uart.read(0), 'h');
}

TEST("the divisor latch hides data and IER, and scratch keeps its byte") {
  UartBench b;
  b.uart.write(3, 0x83);
  b.uart.write(0, 1);
  b.uart.write(1, 2);
  CHECK_EQ(b.uart.read(0), 1);
  CHECK_EQ(b.uart.read(1), 2);
  b.uart.write(3, 0x03);
  CHECK_EQ(b.uart.read(1), 0);
  CHECK_EQ(b.out.waiting(), 0);
  b.uart.write(7, 0xA5);
  CHECK_EQ(b.uart.read(7), 0xA5);
}

TEST("FIFO control clears what it is told to") {
  UartBench b(16);
  b.uart.write(2, 0x01);
  for (int i = 0; i < 24; ++i) b.uart.write(0, 'x');
  b.uart.write(2, 0x05);  // clear transmitter
  CHECK_EQ(b.uart.read(5) & 0x60, 0x60);
  b.uart.write(4, 0x10);
  b.uart.write(0, 'y');
  b.uart.write(2, 0x03);  // clear receiver
  CHECK_EQ(b.uart.read(5) & 1, 0);
}

TEST("a UART saved and loaded is the same UART") {
  UartBench a(16), b(16);
  a.uart.write(4, 0x0B);
  a.uart.write(2, 0x81);
  a.uart.write(1, 0x03);
  a.uart.write(3, 0x1B);
  a.uart.write(7, 0x77);
  for (int i = 0; i < 20; ++i) a.uart.write(0, static_cast<u8>(i));
  a.type("0123456789");
  a.uart.read(0);
  UartState first, second;
  a.uart.save(first);
  CHECK_EQ(first.tx_count, 4);
  CHECK_EQ(first.rx_count, 9);
  CHECK(b.uart.load(first));
  b.uart.save(second);
  CHECK_EQ(std::memcmp(&first, &second, sizeof first), 0);
  CHECK_EQ(b.irq, a.irq);
  CHECK_EQ(b.uart.read(0), '1');
  first.rx_count = 17;
  CHECK(!b.uart.load(first));
}

TEST("a byte ring wraps at its end and at 2^32, and never trusts a wild index") {
  std::vector<u8> area(ByteRing::kHeaderBytes + 8);
  const u32 near_wrap = 0xFFFFFFFD;
  std::memcpy(area.data(), &near_wrap, 4);
  std::memcpy(area.data() + 64, &near_wrap, 4);
  ByteRing ring(area.data(), 8);
  bool first;
  u8 got[16];
  for (u32 round = 0; round < 50; ++round) {
    u8 data[5];
    for (u32 i = 0; i < 5; ++i) data[i] = static_cast<u8>(round * 5 + i);
    CHECK_EQ(ring.write(data, 5, first), 5);
    CHECK(first);
    CHECK_EQ(ring.room(), 3);
    CHECK_EQ(ring.read(got, 16), 5);
    CHECK_EQ(std::memcmp(data, got, 5), 0);
  }
  u8 nine[9] = {};
  CHECK_EQ(ring.write(nine, 9, first), 8);
  CHECK(ring.take_starved());
  const u32 wild = 0x12345678;
  std::memcpy(area.data(), &wild, 4);
  CHECK(ring.waiting() <= 8);
  CHECK(ring.read(got, 16) <= 8);
}

TEST("a byte ring carries every byte in order between two threads") {
  std::vector<u8> area(ByteRing::kHeaderBytes + 64);
  constexpr u32 kTotal = 1 << 20;
  std::thread producer([&] {
    ByteRing ring(area.data(), 64);
    bool first;
    for (u32 i = 0; i < kTotal;) {
      if (ring.push(static_cast<u8>(i * 7), first))
        ++i;
      else
        std::this_thread::yield();
    }
  });
  ByteRing ring(area.data(), 64);
  u32 wrong = 0;
  for (u32 i = 0; i < kTotal;) {
    u8 chunk[23];
    const u32 n = ring.read(chunk, sizeof chunk);
    if (n == 0) std::this_thread::yield();
    for (u32 k = 0; k < n; ++k, ++i) wrong += chunk[k] != static_cast<u8>(i * 7);
  }
  producer.join();
  CHECK_EQ(wrong, 0);
  CHECK_EQ(ring.waiting(), 0);
}
