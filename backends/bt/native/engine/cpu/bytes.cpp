// The memcpy family for calls that the compiler itself emits (struct copies, zero-initialisers). Written with
// string instructions only: libc's versions would destroy live guest vector state. Hidden, so they bind inside
// the program that links the engine and never replace a shared library's.
#include <cstddef>

// The compiler's own declarations carry default visibility, which an attribute cannot override.
asm(".hidden memcpy\n.hidden memmove\n.hidden memset\n.hidden memcmp");

/// For linkers that would take a sanitizer's library instead, which comes first: CMakeLists.txt asks for this name.
extern "C" const char rz_own_memory_functions = 0;

extern "C" {

void* memcpy(void* to, const void* from, std::size_t bytes) {
  void* result = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
  return result;
}

void* memmove(void* to, const void* from, std::size_t bytes) {
  void* result = to;
  char* t = static_cast<char*>(to);
  const char* f = static_cast<const char*>(from);
  if (t <= f || t >= f + bytes) {
    asm volatile("rep movsb" : "+D"(t), "+S"(f), "+c"(bytes) : : "memory");
  } else {
    t += bytes - 1;
    f += bytes - 1;
    asm volatile("std; rep movsb; cld" : "+D"(t), "+S"(f), "+c"(bytes) : : "memory", "cc");
  }
  return result;
}

void* memset(void* to, int value, std::size_t bytes) {
  void* result = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
  return result;
}

int memcmp(const void* a, const void* b, std::size_t bytes) {
  const unsigned char* x = static_cast<const unsigned char*>(a);
  const unsigned char* y = static_cast<const unsigned char*>(b);
  for (; bytes > 0; --bytes, ++x, ++y)
    if (*x != *y) return *x < *y ? -1 : 1;
  return 0;
}

}  // extern "C"
