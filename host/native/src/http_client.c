/* The import `http-client`: a call that suspends the guest's fiber until Python has an answer.
 *
 * The linker's function is a synchronous one, which can call the guest's cabi_realloc. It makes a
 * nested call of an asynchronous function without arguments, the one kind that may suspend the
 * fiber, and goes on behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "host.h"

/* The errors of `http-client.error` that are found here. */
enum { DENIED = 0, TOO_MANY = 2, TOO_LARGE = 5 };

static bool is_done(void *env) { return ((snt_guest *)env)->exchange.done; }

void snt_http_wait(void *env, wasmtime_caller_t *caller, const wasmtime_val_t *args, size_t arg_count,
                   wasmtime_val_t *results, size_t result_count, wasm_trap_t **trap,
                   wasmtime_async_continuation_t *continuation) {
  (void)args, (void)arg_count, (void)results, (void)result_count, (void)trap;
  const snt_engine *engine = env;
  *continuation = (wasmtime_async_continuation_t){
      is_done, engine->wasmtime_context_get_data(engine->wasmtime_caller_context(caller)), NULL};
}

static bool find_waiter(snt_guest *guest) {
  if (guest->has_waiter) return true;
  wasmtime_extern_t found;
  if (!guest->engine->wasmtime_linker_get(guest->plan->http.linker, guest->context, "", 0, "wait", 4, &found) ||
      found.kind != WASMTIME_EXTERN_FUNC) {
    return false;
  }
  guest->waiter = found.of.func;
  return guest->has_waiter = true;
}

static wasm_trap_t *write_error(const snt_host_call *call, uint32_t area, uint8_t error) {
  uint8_t *fields = snt_host_area(call, area, 12, 4);
  if (fields == NULL) return snt_host_no_area(call);
  fields[0] = 1;
  fields[4] = error;
  return NULL;
}

static wasm_trap_t *write_answer(const snt_host_call *call, uint32_t area, const uint8_t *bytes, uint32_t length) {
  uint32_t start;
  wasm_trap_t *trap = snt_host_allocate(call, length, &start);
  if (trap != NULL) return trap;
  if (length > 0) memcpy(snt_host_bytes(call, start, length), bytes, length);
  uint8_t *fields = snt_host_area(call, area, 12, 4);
  if (fields == NULL) return snt_host_no_area(call);
  fields[0] = 0;
  memcpy(fields + 4, &start, 4);
  memcpy(fields + 8, &length, 4);
  return NULL;
}

/* Leave the fiber until the exchange is done, or the call was dropped, which is a trap. */
static wasm_trap_t *await_answer(const snt_host_call *call) {
  snt_guest *guest = call->guest;
  wasmtime_val_raw_t nothing[1] = {{.i64 = 0}};
  wasm_trap_t *trap = NULL;
  guest->exchange.waits = true;
  wasmtime_error_t *error =
      call->engine->wasmtime_func_call_unchecked(call->context, &guest->waiter, nothing, 1, &trap);
  guest->exchange.waits = false;
  if (error != NULL || trap != NULL) return snt_host_nested(call, trap, error);
  /* The epoch went on meanwhile: what is left of the call begins with ticks of its own. */
  call->engine->wasmtime_context_set_epoch_deadline(call->context, SNT_MORE_TICKS);
  return NULL;
}

wasm_trap_t *snt_import_http_send(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)count;
  snt_host_call call;
  uint32_t length = (uint32_t)args[1].i32, area = (uint32_t)args[2].i32;
  wasm_trap_t *trap = snt_host_enter(&call, env, caller, "http-client.send");
  if (trap != NULL) return trap;
  const uint8_t *request = snt_host_bytes(&call, (uint32_t)args[0].i32, length);
  if (request == NULL) return snt_host_outside(&call);
  snt_guest *guest = call.guest;
  if (guest == NULL || guest->phase != SNT_SERVING || guest->plan->http.linker == NULL || !find_waiter(guest)) {
    return write_error(&call, area, DENIED);
  }
  if (guest->fetches >= guest->plan->http.calls) return write_error(&call, area, TOO_MANY);
  if (length > guest->plan->http.request) return write_error(&call, area, TOO_LARGE);
  guest->fetches++;
  uint8_t *copy = malloc(length > 0 ? length : 1);
  if (copy == NULL) return snt_refuse(env, call.what, "the host has no memory for the request");
  if (length > 0) memcpy(copy, request, length);
  guest->exchange = (snt_exchange){.request = copy, .length = length};
  trap = await_answer(&call);
  /* Taken out, because cabi_realloc may send a request of its own. */
  snt_exchange exchange = guest->exchange;
  guest->exchange = (snt_exchange){0};
  if (trap == NULL) {
    trap = exchange.error < 0 ? write_answer(&call, area, exchange.answer, (uint32_t)exchange.answer_length)
                              : write_error(&call, area, (uint8_t)exchange.error);
  }
  free(exchange.request);
  free(exchange.answer);
  return trap;
}

bool snt_guest_deliver(snt_guest *guest, int32_t error, const uint8_t *answer, size_t length) {
  snt_exchange *exchange = &guest->exchange;
  if (!exchange->waits || exchange->done || length > UINT32_MAX) return false;
  exchange->error = error;
  if (error < 0) {
    exchange->answer = malloc(length > 0 ? length : 1);
    if (exchange->answer == NULL) return false;
    if (length > 0) memcpy(exchange->answer, answer, length);
    exchange->answer_length = length;
  }
  exchange->done = true;
  return true;
}

const uint8_t *snt_guest_wanted(const snt_guest *guest) { return guest->exchange.request; }

size_t snt_guest_wanted_length(const snt_guest *guest) { return guest->exchange.length; }
