/* Compiled and run inside guests: sorting, hashing, integer and floating-point loops, setjmp, all folded into one number
   that must be the same at every level of optimization (floating point is exact here). */
#include <inttypes.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t sum = 0xcbf29ce484222325;

static void fold(const void* bytes, size_t size_bytes) {
  for (size_t i = 0; i < size_bytes; i++) sum = (sum ^ ((const uint8_t*)bytes)[i]) * 0x100000001b3;
}

static int compare(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return x < y ? -1 : x > y;
}

static uint32_t state = 1;
static uint32_t next_number(void) { return state = state * 1664525 + 1013904223; }

static unsigned ackermann(unsigned m, unsigned n) {
  return m == 0 ? n + 1 : ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

int main(void) {
  static uint32_t values[50000];
  for (size_t i = 0; i < 50000; i++) values[i] = next_number();
  qsort(values, 50000, sizeof values[0], compare);
  fold(values, sizeof values);

  static double matrix[3][64][64];
  for (int i = 0; i < 64; i++)
    for (int j = 0; j < 64; j++) matrix[0][i][j] = next_number() % 1000 / 8.0, matrix[1][i][j] = next_number() % 1000 / 16.0;
  for (int i = 0; i < 64; i++)
    for (int j = 0; j < 64; j++)
      for (int k = 0; k < 64; k++) matrix[2][i][j] += matrix[0][i][k] * matrix[1][k][j]; /* exact: small dyadic fractions */
  fold(matrix[2], sizeof matrix[2]);

  const unsigned depth = ackermann(2, 300);
  fold(&depth, sizeof depth);

  jmp_buf back;
  volatile int jumps = 0;
  if (setjmp(back) < 1000) longjmp(back, ++jumps);
  fold((const void*)&jumps, sizeof jumps);

  char text[64];
  for (int i = 0; i < 2000; i++) fold(text, (size_t)snprintf(text, sizeof text, "%d %.6e %x", i, i / 7.0L > 100 ? 1.5 : 0.25, i * 7919u));
  for (uint64_t i = 1; i < 20000; i++) {
    const uint64_t mixed = (sum / i) ^ (sum % (i + 3)) ^ (uint64_t)(((unsigned __int128)sum * i) >> 61);
    fold(&mixed, sizeof mixed);
  }
  printf("sum %016" PRIx64 "\n", sum);
  return 0;
}
