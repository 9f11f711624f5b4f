// Hashing and compression in plain C: SHA-256 as FIPS 180-4 writes it, and a byte-oriented LZ with a hash table.
#include <string.h>

#include "workload.h"

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static inline uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void compress_block(uint32_t h[8], const uint8_t* p) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)p[i * 4] << 24 | (uint32_t)p[i * 4 + 1] << 16 | (uint32_t)p[i * 4 + 2] << 8 | p[i * 4 + 3];
  for (int i = 16; i < 64; i++) {
    const uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + w[i - 7] + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
  }
  uint32_t s[8];
  memcpy(s, h, sizeof s);
  for (int i = 0; i < 64; i++) {
    const uint32_t t1 =
        s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
    const uint32_t t2 =
        (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    s[7] = s[6];
    s[6] = s[5];
    s[5] = s[4];
    s[4] = s[3] + t1;
    s[3] = s[2];
    s[2] = s[1];
    s[1] = s[0];
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) h[i] += s[i];
}

static uint8_t text[65536], packed[80000];
static void sha256(uint64_t n) {
  uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (uint64_t i = 0; i < n; i++)
    for (int at = 0; at < 16384; at += 64) compress_block(h, text + at);
  sink = h[0];
}

static int prepare_text(void) {
  uint64_t seed = 7;
  for (unsigned i = 0; i < sizeof text; i++) {
    seed = seed * 6364136223846793005u + 1;
    text[i] = (seed >> 60) < 9 && i > 100 ? text[i - 1 - (seed >> 40) % 100] : (uint8_t)('a' + (seed >> 33) % 16);
  }
  return 0;
}
static void lz(uint64_t n) {
  static uint16_t table[4096];
  for (uint64_t round = 0; round < n; round++) {
    memset(table, 0, sizeof table);
    uint8_t* out = packed;
    unsigned literal = 0;
    for (unsigned i = 4; i + 8 < sizeof text;) {
      uint32_t here, there;
      memcpy(&here, text + i, 4);
      const unsigned slot = here * 2654435761u >> 20, candidate = table[slot];
      table[slot] = (uint16_t)i;
      memcpy(&there, text + candidate, 4);
      if (there != here || candidate >= i) {
        *out++ = text[i++];
        literal++;
        continue;
      }
      unsigned length = 4;
      while (i + length < sizeof text && text[i + length] == text[candidate + length] && length < 255) length++;
      *out++ = (uint8_t)literal;
      *out++ = (uint8_t)length;
      *out++ = (uint8_t)(i - candidate);
      *out++ = (uint8_t)((i - candidate) >> 8);
      i += length;
      literal = 0;
    }
    sink = (uint64_t)(out - packed);
  }
}

const struct workload hash_workloads[] = {
    {"sha256", "ns/KiB", 16, prepare_text, sha256}, {"lz-compress", "ns/KiB", 64, prepare_text, lz}, {0}};
