/* One guest instance in a store of its own, driven by the canonical ABI as wit/ABI.md section 2
 * lays it down.
 *
 * Rule 1: nothing that a guest returns is trusted. Every address and length is checked in 64-bit
 *         arithmetic against a size read after the last guest code ran; base and size are never
 *         kept across a guest call.
 * Rule 2: functions that reach an snt_guest have been checked for their exact core type. wasmtime's
 *         unchecked call aborts the process on a wrong one.
 * Rule 3: an instance that failed once is never called again: its memory may be half changed, and
 *         what it lent is lost.
 * Rule 4: all guest code runs on a fiber. A loop in Wasm calls `snt_run_call`, a host function,
 *         which makes cabi_realloc, the hook and its post-return as nested calls; at a tick of the
 *         epoch the fiber is left wherever it is, and a later `snt_resume` goes on there. What a
 *         call needs is therefore kept in the snt_guest, and the lists and the label that were
 *         passed in must stay where they are until the call has ended, or the guest is told.
 *         Between two calls the loop's fiber is parked: that call of the loop never returns, unless
 *         a call of the guest fails. Nothing outside of the fiber uses the store meanwhile.
 *         A call that waits for an answer from outside is left in the same way, and not resumed
 *         before it is there: its running time stands still.
 * Rule 5: a call that is not resumed any more ends with its instance: freeing it unwinds the fiber.
 * Rule 6: one thread at a time.
 */
#ifndef SNT_GUEST_H
#define SNT_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "plan.h"

#define SNT_FIRST_OUTPUT 1024
/* Ticks that a call may run before it is suspended: two, so that one which begins just before a
 * tick is not. */
#define SNT_FIRST_TICKS 2
/* The same for a call that goes on: with one, some half a millisecond, waiting for its turn would
 * take most of the time. */
#define SNT_MORE_TICKS 2

/* Why a call failed, and that it has not ended. */
enum {
  SNT_REFUSED = -1,                  /* the guest returned `err`; its message is the output */
  SNT_TRAP_IN_REALLOC = -2,          /* in these four, the trap or the error can be taken */
  SNT_TRAP_IN_HOOK = -3,
  SNT_TRAP_IN_POST = -4,
  SNT_TRAP_IN_START = -5,            /* the instance could not be made, or its start function failed */
  SNT_REALLOC_OUT_OF_BOUNDS = -6,
  SNT_AREA_MISALIGNED = -7,
  SNT_AREA_OUT_OF_BOUNDS = -8,
  SNT_RESULT_OUT_OF_BOUNDS = -9,
  SNT_RESULT_TOO_LONG = -10,
  SNT_BAD_DISCRIMINANT = -11,
  SNT_INPUT_TOO_LONG = -12,          /* more than a 32-bit memory can hold */
  SNT_NO_HOOK = -13,                 /* nothing is bound there, or the instance has not started */
  SNT_BUSY = -14,                    /* a call of this instance is under way */
  SNT_DISCARDED = -15,               /* an earlier call failed */
  SNT_NO_MEMORY = -16,               /* the host has none left for the output */
  SNT_LENT_OUT_OF_BOUNDS = -17,      /* the argument area lies outside of memory */
  SNT_SUSPENDED = -18,               /* not a failure: to be resumed */
  SNT_WAITING = -19                  /* the same, once what it waits for was delivered */
};

/* Set in a result that is not negative: the instance has served long enough, or has held much
 * memory for long; it still works. */
#define SNT_RETIRABLE ((int64_t)1 << 32)

/* What an instance is doing, or did when it failed. */
typedef enum {
  SNT_NEW,
  SNT_STARTING,
  SNT_INITIALIZING,
  SNT_CONFIGURING,
  SNT_SELECTING,
  SNT_LENDING,
  SNT_SERVING
} snt_phase;

typedef struct {
  bool bound, has_post, takes_flag;
  uint8_t lists, returns;
  wasmtime_func_t function, post;
} snt_hook;

typedef struct {
  const uint8_t *bytes;
  size_t length;
} snt_list;

/* A part of the guest's memory. */
typedef struct {
  uint32_t start, length;
} snt_area;

/* What a call waits for that made an outbound request: from when it asks until the answer is in its
 * memory. */
typedef struct {
  bool waits, done;
  uint8_t *request, *answer;
  size_t length, answer_length;
  int32_t error; /* of `http-client.error`; negative: none */
} snt_exchange;

typedef struct {
  snt_plan *plan;
  const snt_engine *engine;
  wasmtime_store_t *store;
  wasmtime_context_t *context;
  snt_phase phase;
  bool bound, busy, discarded;
  wasmtime_instance_t instance;
  wasmtime_memory_t memory;
  wasmtime_func_t realloc_, loop;
  snt_hook hooks[SNT_HOOKS];
  const snt_hook *hook; /* the current call */
  uint32_t needed_hooks;
  bool empty_is_nothing; /* cabi_realloc owns nothing for an empty list */
  snt_area lent;         /* for arguments; within the memory, which never shrinks; empty: none */
  snt_list lists[2];
  bool flag;
  const char *label; /* of its log lines */
  uint8_t *output;
  size_t length, capacity;
  wasm_trap_t *trap; /* of the failed call, until taken */
  wasmtime_error_t *error;
  /* The call of the loop, or instantiation, what the engine says of it as a whole; whether the
   * guest's call has ended, and its result. */
  wasmtime_call_future_t *future;
  wasm_trap_t *outer_trap;
  wasmtime_error_t *outer_error;
  bool ended, leaving;
  int64_t result;
  /* Its running time: until the first tick by the wall clock, which is cheap to read, then by the
   * thread's. */
  uint64_t began_ns, cpu_base_ns, used_ns, budget_ns;
  bool ticked, timed_out;
  uint32_t lines, fetches;
  snt_exchange exchange;
  bool has_waiter;
  wasmtime_func_t waiter;
  uint64_t served, above_high_water, memory_size;
} snt_guest;

/* A guest in a store of its own, without an instance; NULL when there is no memory. */
snt_guest *snt_guest_new(snt_plan *plan);

/* Frees the store too; a call that is suspended ends. */
void snt_guest_free(snt_guest *guest);

/* Make the instance: its start function, then _initialize, configure, sentinel_needed_hooks and
 * sentinel_argument_area, where the guest has them. Returns 0, a failure, or SNT_SUSPENDED. The
 * configuration must stay where it is until then. */
int64_t snt_guest_start(snt_guest *guest, const uint8_t *config, size_t length);

/* Call a hook. Returns the number of bytes at `output`, 0 for `nil`, an empty result and none, with
 * SNT_RETIRABLE added when the guest should be retired; or one of the failures above. Lists beyond
 * those of the hook are ignored. `label` marks the call's log lines; a length beside it would cost
 * every call something, and few write lines. SNT_SUSPENDED: the call used up its ticks;
 * `snt_resume` goes on, and lists and label must stay where they are. */
int64_t snt_call(snt_guest *guest, uint32_t index, const uint8_t *first, size_t first_length, const uint8_t *second,
                 size_t second_length, bool flag, const char *label);

/* Say where the first list of a suspended call is from now on. */
void snt_guest_move(snt_guest *guest, const uint8_t *first);

/* Go on with a suspended call or start, for some ticks. Returns as the function that began it. */
int64_t snt_resume(snt_guest *guest);

/* What a call that answered SNT_WAITING wants: a request, and its length. */
const uint8_t *snt_guest_wanted(const snt_guest *guest);
size_t snt_guest_wanted_length(const snt_guest *guest);

/* Give it the answer, which is copied, or for want of one an error that is not negative. Returns
 * whether it waited for that, and there was memory. */
bool snt_guest_deliver(snt_guest *guest, int32_t error, const uint8_t *answer, size_t length);

/* The output of the last call, its length, and how much fits before the address moves. */
const uint8_t *snt_guest_output(const snt_guest *guest);
size_t snt_guest_length(const snt_guest *guest);

/* What an instance that has started says of the hooks that it needs: all bits when it says nothing. */
uint32_t snt_guest_needed_hooks(const snt_guest *guest);

/* What the instance is doing, and whether its last call ended at its deadline. */
int snt_guest_phase(const snt_guest *guest);
bool snt_guest_timed_out(const snt_guest *guest);

/* The failed call's trap (or error), which from then on the caller owns; 0 when there is none. */
uintptr_t snt_guest_take_trap(snt_guest *guest);
uintptr_t snt_guest_take_error(snt_guest *guest);

/* The host function `call` that the loop imports, an unchecked callback; `env` is the snt_engine. It
 * returns 1 for the loop to go on. */
wasm_trap_t *snt_run_call(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);

/* The size of the guest's memory, which is counted by that. */
size_t snt_memory_size(snt_guest *guest);

/* The canonical ABI's part of a call, which runs on the fiber: returns as `snt_call`, without the
 * added bits. When it has ended well, the memory's size was read after the guest's last code. */
int64_t snt_run_hook(snt_guest *guest);

#endif
