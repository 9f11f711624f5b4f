// See perf_map.h.
#include "perf_map.h"

#include <fcntl.h>
#include <unistd.h>

namespace rz {
namespace {

char* put_hex(char* p, u64 v) {
  int shift = 60;
  while (shift > 0 && (v >> shift & 15) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) *p++ = "0123456789abcdef"[v >> shift & 15];
  return p;
}

int open_map() {
  char path[48] = "/tmp/perf-";
  char digits[12];
  int n = 0;
  for (unsigned pid = static_cast<unsigned>(getpid()); pid; pid /= 10) digits[n++] = static_cast<char>('0' + pid % 10);
  char* p = path + 10;
  while (n) *p++ = digits[--n];
  for (const char* s = ".map"; *s; s++) *p++ = *s;
  *p = 0;
  return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

}  // namespace

void perf_map_add(const void* host, u32 bytes, u64 guest_rip, u64 mode) {
  static const int fd = open_map();
  if (fd < 0) return;
  char line[96];
  char* p = put_hex(line, reinterpret_cast<u64>(host));
  *p++ = ' ';
  p = put_hex(p, bytes);
  *p++ = ' ';
  *p++ = (mode & 4) ? 'u' : 'k';
  *p++ = '_';
  p = put_hex(p, guest_rip);
  *p++ = '\n';
  (void)!write(fd, line, static_cast<size_t>(p - line));
}

}  // namespace rz
