/* One guest instance, driven by the canonical ABI as wit/ABI.md section 2 lays it down.
 *
 * Rule 1: nothing that a guest returns is trusted. Every address and length is checked in 64-bit arithmetic against a
 *         size read after the last guest code ran; base and size are never kept across a guest call.
 * Rule 2: functions that reach an snt_guest have been checked for their exact core type. wasmtime's unchecked call aborts
 *         the process on a wrong one.
 * Rule 3: an instance that failed once is never called again: its memory may be half changed, and what it lent is lost.
 * Rule 4: a call's arguments are kept in the snt_guest and `snt_run` needs nothing else, so that the same function can run
 *         on the caller's stack or on a fiber.
 * Rule 5: one thread at a time.
 */
#ifndef SNT_GUEST_H
#define SNT_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"

#define SNT_HOOKS 8
#define SNT_FIRST_OUTPUT 1024

/* What a hook returns. */
enum { SNT_RETURNS_NOTHING = 0, SNT_RETURNS_LIST = 1, SNT_RETURNS_OUTCOME = 2 };

/* Why a call failed. */
enum {
  SNT_REFUSED = -1,                  /* the guest returned `err`; its message is the output */
  SNT_TRAP_IN_REALLOC = -2,          /* in these three, the trap or the error can be taken */
  SNT_TRAP_IN_HOOK = -3,
  SNT_TRAP_IN_POST = -4,
  SNT_REALLOC_OUT_OF_BOUNDS = -5,
  SNT_AREA_MISALIGNED = -6,
  SNT_AREA_OUT_OF_BOUNDS = -7,
  SNT_RESULT_OUT_OF_BOUNDS = -8,
  SNT_RESULT_TOO_LONG = -9,
  SNT_BAD_DISCRIMINANT = -10,
  SNT_INPUT_TOO_LONG = -11,          /* more than a 32-bit memory can hold */
  SNT_NO_HOOK = -12,                 /* nothing is bound there */
  SNT_BUSY = -13,                    /* a call of this instance is under way */
  SNT_DISCARDED = -14,               /* an earlier call failed */
  SNT_NO_MEMORY = -15                /* the host has none left for the output */
};

/* Set in a result that is not negative when the log kept a line that the guest wrote during the call. */
#define SNT_WROTE ((int64_t)1 << 32)

typedef struct {
  bool bound, has_post, takes_flag;
  uint8_t lists, returns;
  wasmtime_func_t function, post;
} snt_hook;

typedef struct {
  const uint8_t *bytes;
  size_t length;
} snt_list;

typedef struct {
  const snt_engine *engine;
  wasmtime_context_t *context;
  uint64_t id;    /* names the guest in log lines */
  uint64_t calls; /* the current call's number */
  bool bound, busy, discarded, wrote;
  wasmtime_memory_t memory;
  wasmtime_func_t realloc_;
  snt_hook hooks[SNT_HOOKS];
  const snt_hook *hook; /* the current call */
  snt_list lists[2];
  bool flag;
  uint8_t *output;
  size_t length, capacity, limit;
  wasm_trap_t *trap; /* of the failed call, until taken */
  wasmtime_error_t *error;
} snt_guest;

/* A guest in the store of `context`, whose data it becomes; not bound to an instance yet. Its log lines carry `id`; its
 * calls are counted from `calls`, so that several instances of one guest can share an id. No result may be longer than
 * `limit` bytes. NULL when there is no memory. It must outlive every call into the store. */
snt_guest *snt_guest_new(const snt_engine *engine, uintptr_t context, uint64_t id, uint64_t calls, uint32_t limit);
void snt_guest_free(snt_guest *guest);

/* Bind the instance's memory and cabi_realloc: addresses of a wasmtime_memory_t and a wasmtime_func_t, copied. */
void snt_guest_bind(snt_guest *guest, uintptr_t memory, uintptr_t realloc_);

/* Bind a hook: `lists` of its parameters are lists (with `takes_flag` a bool stands behind the first), `post` is 0 when the
 * guest exports no post-return. Returns whether `index` and the shape are possible. */
bool snt_guest_bind_hook(snt_guest *guest, uint32_t index, uint32_t lists, bool takes_flag, uint32_t returns,
                         uintptr_t function, uintptr_t post);

/* Call a hook. Returns the number of bytes at `output`, 0 for `nil`, an empty result and none, with SNT_WROTE added when
 * the guest logged; or one of the failures above. Lists beyond those of the hook are ignored. */
int64_t snt_call(snt_guest *guest, uint32_t index, const uint8_t *first, size_t first_length, const uint8_t *second,
                 size_t second_length, bool flag);

/* The output of the last call, its length, and how much fits before the address moves. */
const uint8_t *snt_guest_output(const snt_guest *guest);
size_t snt_guest_length(const snt_guest *guest);
size_t snt_guest_capacity(const snt_guest *guest);

/* The number of the last call, and whether the log kept a line of it. */
uint64_t snt_guest_calls(const snt_guest *guest);
bool snt_guest_wrote(const snt_guest *guest);

/* The failed call's trap (or error), which from then on the caller owns; 0 when there is none. */
uintptr_t snt_guest_take_trap(snt_guest *guest);
uintptr_t snt_guest_take_error(snt_guest *guest);

#endif
