// Floating point and vectors: scalar double, SSE2, AVX2, x87. The AVX2 loops run only where CPUID has it.
#include <immintrin.h>
#include <math.h>

#include "workload.h"

enum { kCount = 1024 };
static float fa[kCount] __attribute__((aligned(32))), fb[kCount] __attribute__((aligned(32)));
static int ia[kCount] __attribute__((aligned(32))), ib[kCount] __attribute__((aligned(32)));

// Ordinary numbers: translators that check for zeros and denormals take their slow paths for nothing else. The sums
// stop growing where the addend falls below their last bit.
static int prepare(void) {
  for (int i = 0; i < kCount; i++) {
    fa[i] = 1.0f + (float)i / kCount;
    fb[i] = 0.25f + (float)(i % 7);
    ia[i] = (int)(i * 2654435761u);
    ib[i] = i;
  }
  return 0;
}
static void nbody(uint64_t n) {
  static double x[5] = {0, 4.84, 8.34, 12.89, 15.37}, y[5] = {0, -1.16, 4.12, -15.11, -25.91}, vx[5], vy[5];
  static const double m[5] = {39.47, 0.037, 0.011, 0.0017, 0.002};
  for (uint64_t s = 0; s < n; s++) {
    for (int i = 0; i < 5; i++)
      for (int j = i + 1; j < 5; j++) {
        const double dx = x[i] - x[j], dy = y[i] - y[j], d2 = dx * dx + dy * dy + 0.01, mag = 0.001 / (d2 * sqrt(d2));
        vx[i] -= dx * m[j] * mag;
        vy[i] -= dy * m[j] * mag;
        vx[j] += dx * m[i] * mag;
        vy[j] += dy * m[i] * mag;
      }
    for (int i = 0; i < 5; i++) {
      x[i] += 0.001 * vx[i];
      y[i] += 0.001 * vy[i];
    }
  }
  sink = (uint64_t)(int64_t)(x[1] * 1e6);
}
static void sse_fp32(uint64_t n) {
  for (uint64_t s = 0; s < n; s++)
    for (int i = 0; i < kCount; i += 4)
      _mm_store_ps(fb + i, _mm_add_ps(_mm_mul_ps(_mm_load_ps(fa + i), _mm_set1_ps(0.5f)), _mm_load_ps(fb + i)));
}
static void sse_int(uint64_t n) {
  for (uint64_t s = 0; s < n; s++)
    for (int i = 0; i < kCount; i += 4) {
      const __m128i a = _mm_load_si128((__m128i*)(ia + i)), b = _mm_load_si128((__m128i*)(ib + i));
      _mm_store_si128((__m128i*)(ib + i), _mm_xor_si128(_mm_add_epi32(a, b), _mm_slli_epi32(b, 3)));
    }
}
static int prepare_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? prepare() : -1;
}
__attribute__((target("avx2,fma"))) static void avx_fp32(uint64_t n) {
  for (uint64_t s = 0; s < n; s++)
    for (int i = 0; i < kCount; i += 8)
      _mm256_store_ps(
          fb + i, _mm256_add_ps(_mm256_mul_ps(_mm256_load_ps(fa + i), _mm256_set1_ps(0.5f)), _mm256_load_ps(fb + i)));
}
__attribute__((target("avx2"))) static void avx_int(uint64_t n) {
  for (uint64_t s = 0; s < n; s++)
    for (int i = 0; i < kCount; i += 8) {
      const __m256i a = _mm256_load_si256((__m256i*)(ia + i)), b = _mm256_load_si256((__m256i*)(ib + i));
      _mm256_store_si256((__m256i*)(ib + i), _mm256_xor_si256(_mm256_add_epi32(a, b), _mm256_slli_epi32(b, 3)));
    }
}
static void x87(uint64_t n) {
  long double a = 1.0L, b = 0.5L;
  for (uint64_t i = 0; i < n; i++) {
    a = a * 0.999L + b;
    b = b + 1.0L / a;
    if (b > 100) b = 0.5L;
  }
  sink = (uint64_t)(a * 1000);
}

const struct workload vector_workloads[] = {{"nbody-double", "ns/step", 1, 0, nbody},
                                            {"sse-fp32", "ns/KiB", 4, prepare, sse_fp32},
                                            {"sse-int", "ns/KiB", 4, prepare, sse_int},
                                            {"avx2-fp32", "ns/KiB", 4, prepare_avx2, avx_fp32},
                                            {"avx2-int", "ns/KiB", 4, prepare_avx2, avx_int},
                                            {"x87", "ns/op", 1, 0, x87},
                                            {0}};
