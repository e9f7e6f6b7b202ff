/* Memory: a heap of blocks whose sizes are powers of two, and on it an arena that forgets
 * everything with each call.
 *
 * Rule 1: what a call is given and allocates, and its answer, lives until the next call begins.
 * Rule 2: what `configure` was given and allocates is never forgotten.
 * Rule 3: a block that is given back serves the next request of its size, so that many calls need
 *         no more memory than the largest of them. */
#include "internal.h"

#define CLASSES 32
#define SMALLEST 4
#define FIRST_BLOCK ((size_t)4000)

typedef struct block {
  /* Of a free block the next one of its class, of one in the arena the one before it. */
  struct block *next;
  size_t class;
} block;

static block *unused[CLASSES];
static block *arena;
static char *at, *end;
static bool is_over;

static block *take_block(size_t size) {
  size_t class = SMALLEST;
  while (class < CLASSES && ((size_t)1 << class) < size + sizeof(block)) class++;
  block *found = class < CLASSES ? unused[class] : NULL;
  if (found != NULL) {
    unused[class] = found->next;
    return found;
  }
  found = class < CLASSES ? sentinel_more_memory((size_t)1 << class) : NULL;
  if (found == NULL) sentinel_out_of_memory();
  found->class = class;
  return found;
}

static void give_back(block *old) {
  old->next = unused[old->class];
  unused[old->class] = old;
}

void *sentinel_keep(size_t size) {
  return take_block(size) + 1;
}

void sentinel_release(void *kept) {
  if (kept != NULL) give_back((block *)kept - 1);
}

void *sentinel_allocate(size_t size) {
  size_t rounded = (size + 7) & ~(size_t)7;
  if (rounded < size) sentinel_out_of_memory();
  if ((size_t)(end - at) < rounded || at == NULL) {
    block *fresh = take_block(rounded < FIRST_BLOCK ? FIRST_BLOCK : rounded);
    fresh->next = arena;
    arena = fresh;
    at = (char *)(fresh + 1);
    end = (char *)fresh + ((size_t)1 << fresh->class);
  }
  void *found = at;
  at += rounded;
  return found;
}

void sentinel_begin_call(void) {
  if (!is_over) return;
  is_over = false;
  while (arena != NULL && arena->next != NULL) {
    block *old = arena;
    arena = old->next;
    give_back(old);
  }
  if (arena != NULL) {
    at = (char *)(arena + 1);
    end = (char *)arena + ((size_t)1 << arena->class);
  }
}

void sentinel_end_call(void) {
  is_over = true;
}

void sentinel_keep_all(void) {
  arena = NULL;
  at = end = NULL;
}
