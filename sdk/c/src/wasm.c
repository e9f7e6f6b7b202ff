/* What a guest has in place of an operating system and a C library. Native tests have others. */
#include "internal.h"

#define PAGE ((size_t)65536)

/* The linker's: where the memory begins that nothing uses. */
extern char __heap_base;
static char *top;

/* What was taken is never given back to the host: the heap keeps it for the next one. */
void *sentinel_more_memory(size_t size) {
  if (top == NULL) top = (char *)(((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15);
  size_t used = (size_t)(uintptr_t)top, pages = __builtin_wasm_memory_size(0);
  if (size > SIZE_MAX - used - PAGE) return NULL;
  size_t wanted = (used + size + PAGE - 1) / PAGE;
  if (wanted > pages && __builtin_wasm_memory_grow(0, wanted - pages) == (size_t)-1) return NULL;
  void *found = top;
  top += size;
  return found;
}

_Noreturn void sentinel_trap(void) {
  __builtin_trap();
}

/* The host allocates what it hands over, and nothing is ever resized. */
__attribute__((export_name("cabi_realloc"))) void *sentinel_exported_realloc(void *old, size_t old_size, size_t align,
                                                                            size_t size) {
  (void)old, (void)old_size, (void)align;
  sentinel_begin_call();
  return sentinel_allocate(size);
}

/* For a few bytes a loop is faster than the instruction, which is a call into the engine.
 * `volatile` keeps the compiler from making a call of this very function out of the loop. */
#define FEW 64

typedef uint64_t __attribute__((aligned(1), may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  if (size > FEW) return memmove(to, from, size);
  char *d = to;
  const char *s = from;
  for (; size >= sizeof(word); size -= sizeof(word), d += sizeof(word), s += sizeof(word)) {
    *(volatile word *)d = *(const word *)s;
  }
  for (size_t i = 0; i < size; i++) ((volatile char *)d)[i] = s[i];
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  char *d = to;
  const char *s = from;
  if (size > FEW) {
    __asm__ volatile("local.get %0\nlocal.get %1\nlocal.get %2\nmemory.copy 0, 0" : : "r"(d), "r"(s), "r"(size) : "memory");
  } else if (d <= s) {
    for (size_t i = 0; i < size; i++) ((volatile char *)d)[i] = s[i];
  } else {
    for (size_t i = size; i > 0; i--) ((volatile char *)d)[i - 1] = s[i - 1];
  }
  return to;
}

void *memset(void *to, int byte, size_t size) {
  if (size > FEW) {
    __asm__ volatile("local.get %0\nlocal.get %1\nlocal.get %2\nmemory.fill 0" : : "r"(to), "r"(byte), "r"(size) : "memory");
  } else {
    for (size_t i = 0; i < size; i++) ((volatile char *)to)[i] = (char)byte;
  }
  return to;
}

int memcmp(const void *a, const void *b, size_t size) {
  const unsigned char *x = a, *y = b;
  for (size_t i = 0; i < size; i++) {
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  }
  return 0;
}

size_t strlen(const char *text) {
  size_t size = 0;
  while (((const volatile char *)text)[size] != 0) size++;
  return size;
}
