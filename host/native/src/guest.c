#include "guest.h"

#include <stdlib.h>
#include <string.h>

#define AREA_ALIGNMENT 4
#define LIST_AREA 8
#define OUTCOME_AREA 12
#define MSGPACK_NIL 0xc0
/* Where guests' languages say that empty lists lie: an address that is aligned and not null. */
#define NOTHING 1

size_t snt_memory_size(snt_guest *guest) {
  size_t size = guest->engine->wasmtime_memory_data_size(guest->context, &guest->memory);
  if (size != guest->memory_size) {
    guest->plan->counters->memory_bytes += size - guest->memory_size;
    guest->memory_size = size;
  }
  return size;
}

static uint8_t *memory_base(const snt_guest *guest) {
  return guest->engine->wasmtime_memory_data(guest->context, &guest->memory);
}

/* A trap is the guest's doing, an error the engine's; both end the call and both are kept, because
 * the outer call that this one is nested in would look fine. */
static bool enter(snt_guest *guest, const wasmtime_func_t *function, wasmtime_val_raw_t *values, size_t count) {
  wasm_trap_t *trap = NULL;
  wasmtime_error_t *error =
      guest->engine->wasmtime_func_call_unchecked(guest->context, function, values, count, &trap);
  if (error == NULL && trap == NULL) return true;
  guest->trap = trap;
  guest->error = error;
  return false;
}

/* Copy a list into the guest; writes its pointer and length to `values`. Returns 0 or a failure. */
static int64_t lower(snt_guest *guest, const snt_list *list, wasmtime_val_raw_t *values) {
  if (list->length > UINT32_MAX) return SNT_INPUT_TOO_LONG;
  values[1].i32 = (int32_t)(uint32_t)list->length;
  if (list->length == 0 && guest->empty_is_nothing) {
    values[0].i32 = NOTHING;
    return 0;
  }
  /* For an empty list too: some guests free whatever pointer they get. */
  wasmtime_val_raw_t call[4] = {{.i32 = 0}, {.i32 = 0}, {.i32 = 1}, {.i32 = (int32_t)(uint32_t)list->length}};
  if (!enter(guest, &guest->realloc_, call, 4)) return SNT_TRAP_IN_REALLOC;
  uint32_t start = (uint32_t)call[0].i32;
  if ((uint64_t)start + list->length > snt_memory_size(guest)) return SNT_REALLOC_OUT_OF_BOUNDS;
  if (list->length > 0) memcpy(memory_base(guest) + start, list->bytes, list->length);
  values[0].i32 = (int32_t)start;
  if (list->length == 0) guest->empty_is_nothing = start == NOTHING;
  return 0;
}

/* Put a list into what is left of the area that the guest lends, without a call. An empty list has
 * no place in it: the guest knows an argument of the area by its address. Returns whether it fits. */
static bool place(snt_guest *guest, const snt_list *list, snt_area *left, wasmtime_val_raw_t *values) {
  if (list->length == 0 || list->length > left->length) return false;
  memcpy(memory_base(guest) + left->start, list->bytes, list->length);
  values[0].i32 = (int32_t)left->start;
  values[1].i32 = (int32_t)(uint32_t)list->length;
  left->start += (uint32_t)list->length;
  left->length -= (uint32_t)list->length;
  return true;
}

/* What `sentinel_argument_area` returned. Returns 0 or a failure. */
static int64_t borrow(snt_guest *guest, uint64_t told) {
  snt_area lent = {.start = (uint32_t)told, .length = (uint32_t)(told >> 32)};
  if ((uint64_t)lent.start + lent.length > snt_memory_size(guest)) return SNT_LENT_OUT_OF_BOUNDS;
  guest->lent = lent;
  return 0;
}

static int64_t copy_out(snt_guest *guest, const uint8_t *from, uint32_t length) {
  if (length > guest->capacity) {
    size_t capacity = guest->capacity == 0 ? SNT_FIRST_OUTPUT : guest->capacity;
    while (capacity < length) capacity *= 2;
    uint8_t *output = realloc(guest->output, capacity);
    if (output == NULL) return SNT_NO_MEMORY;
    guest->output = output;
    guest->capacity = capacity;
  }
  if (length > 0) memcpy(guest->output, from, length);
  guest->length = length;
  return length;
}

static uint32_t read_u32(const uint8_t *from) {
  uint32_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

/* Copy the result out of the return area at `area`. Returns the result's length or a failure. */
static int64_t lift(snt_guest *guest, uint32_t area, bool is_outcome) {
  size_t size = snt_memory_size(guest);
  const uint8_t *base = memory_base(guest);
  if (area % AREA_ALIGNMENT != 0) return SNT_AREA_MISALIGNED;
  if ((uint64_t)area + (is_outcome ? OUTCOME_AREA : LIST_AREA) > size) return SNT_AREA_OUT_OF_BOUNDS;
  const uint8_t *fields = base + area;
  if (is_outcome) {
    if (*fields > 1) return SNT_BAD_DISCRIMINANT;
    if (*fields == 0) return 0;
    fields += 4;
  }
  uint32_t start = read_u32(fields), length = read_u32(fields + 4);
  if ((uint64_t)start + length > size) return SNT_RESULT_OUT_OF_BOUNDS;
  if (length > guest->plan->limits.result) return SNT_RESULT_TOO_LONG;
  if (is_outcome) {
    int64_t copied = copy_out(guest, base + start, length);
    return copied < 0 ? copied : SNT_REFUSED;
  }
  /* `nil` is what nearly every call answers: no buffer to fill, and Python makes no bytes
   * object. */
  if (length == 1 && base[start] == MSGPACK_NIL) return 0;
  return copy_out(guest, base + start, length);
}

int64_t snt_run_hook(snt_guest *guest) {
  const snt_hook *hook = guest->hook;
  wasmtime_val_raw_t values[5] = {{.i32 = 0}}; /* also holds the result of a hook without parameters */
  size_t count = 0;
  /* Chunks, which have a flag, are long. */
  snt_area left = hook->takes_flag ? (snt_area){0, 0} : guest->lent;
  for (size_t i = 0; i < hook->lists; i++) {
    if (!place(guest, &guest->lists[i], &left, values + count)) {
      int64_t lowered = lower(guest, &guest->lists[i], values + count);
      if (lowered < 0) return lowered;
    }
    count += 2;
    if (i == 0 && hook->takes_flag) values[count++].i32 = guest->flag;
  }
  if (!enter(guest, &hook->function, values, count == 0 ? 1 : count)) return SNT_TRAP_IN_HOOK;
  if (hook->returns == SNT_RETURNS_AREA) return borrow(guest, (uint64_t)values[0].i64);
  wasmtime_val_raw_t area[1] = {{.i32 = values[0].i32}};
  if (hook->returns == SNT_RETURNS_NOTHING) {
    /* Without a result post-return has no parameter; one value is the least that the engine
     * takes. */
    if (hook->has_post && !enter(guest, &hook->post, area, 1)) return SNT_TRAP_IN_POST;
    snt_memory_size(guest);
    return 0;
  }
  if (hook->returns == SNT_RETURNS_NUMBER) {
    guest->needed_hooks = (uint32_t)area[0].i32;
    snt_memory_size(guest);
    return 0;
  }
  int64_t length = lift(guest, (uint32_t)area[0].i32, hook->returns == SNT_RETURNS_OUTCOME);
  if (length < 0 && length != SNT_REFUSED) return length;
  if (!hook->has_post) return length;
  if (!enter(guest, &hook->post, area, 1)) return SNT_TRAP_IN_POST;
  snt_memory_size(guest);
  return length;
}
