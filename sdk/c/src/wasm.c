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

/* What the host writes the arguments of a head's hook to. They live until the next call, as all that
 * a call is given. */
#define LENT 4096
static uint8_t lent[LENT];

__attribute__((export_name("sentinel_argument_area"))) uint64_t sentinel_exported_argument_area(void) {
  return (uint64_t)LENT << 32 | (uintptr_t)lent;
}

/* The host allocates what else it hands over, and nothing is ever resized. */
__attribute__((export_name("cabi_realloc"))) void *sentinel_exported_realloc(void *old, size_t old_size, size_t align,
                                                                            size_t size) {
  (void)old, (void)old_size;
  /* Nothing is owned for an empty list, and the host need not ask for it again. */
  if (size == 0) return (void *)align;
  sentinel_begin_call();
  return sentinel_allocate(size);
}

/* Up to here loops are faster than the instructions, which are calls into the engine; compilers are
 * told not to use those by themselves. `volatile` keeps them from making calls of these very
 * functions out of the loops. */
#define FEW 256
#define FEW_BYTE_BY_BYTE 64
#define INSTRUCTION static __attribute__((target("bulk-memory-opt")))

typedef uint64_t __attribute__((aligned(1), may_alias)) word;

INSTRUCTION void copy(void *to, const void *from, size_t size) {
  __asm__ volatile("local.get %0\nlocal.get %1\nlocal.get %2\nmemory.copy 0, 0"
                   : : "r"(to), "r"(from), "r"(size) : "memory");
}

INSTRUCTION void fill(void *to, int byte, size_t size) {
  __asm__ volatile("local.get %0\nlocal.get %1\nlocal.get %2\nmemory.fill 0"
                   : : "r"(to), "r"(byte), "r"(size) : "memory");
}

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  char *d = to;
  const char *s = from;
  if (size > FEW) {
    copy(d, s, size);
  } else if (size >= sizeof(word)) {
    /* The last word overlaps the one before it. */
    size_t last = size - sizeof(word);
    for (size_t i = 0; i < last; i += sizeof(word)) *(volatile word *)(d + i) = *(const word *)(s + i);
    *(volatile word *)(d + last) = *(const word *)(s + last);
  } else {
    for (size_t i = 0; i < size; i++) ((volatile char *)d)[i] = s[i];
  }
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  char *d = to;
  const char *s = from;
  if (size > FEW_BYTE_BY_BYTE) {
    copy(d, s, size);
  } else if (d <= s) {
    for (size_t i = 0; i < size; i++) ((volatile char *)d)[i] = s[i];
  } else {
    for (size_t i = size; i > 0; i--) ((volatile char *)d)[i - 1] = s[i - 1];
  }
  return to;
}

void *memset(void *to, int byte, size_t size) {
  char *d = to;
  if (size > FEW) {
    fill(d, byte, size);
  } else if (size >= sizeof(word)) {
    word filled = (unsigned char)byte * (word)0x0101010101010101;
    size_t last = size - sizeof(word);
    for (size_t i = 0; i < last; i += sizeof(word)) *(volatile word *)(d + i) = filled;
    *(volatile word *)(d + last) = filled;
  } else {
    for (size_t i = 0; i < size; i++) ((volatile char *)d)[i] = (char)byte;
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
