/* What all workers know of each endpoint, in memory that they share: whether it may be used, and
 * how busy it is.
 *
 * Rule 1: nothing here allocates, waits, or asks what time it is. The memory and the time are
 *         passed in.
 * Rule 2: every word changes by one atomic operation, so that a process killed between any two
 *         instructions leaves each word valid. No rule spans two words.
 * Rule 3: an endpoint has one row for all, and one cell per worker. Only its worker writes a cell;
 *         whoever reaps a worker clears its cells.
 * Rule 4: a row is found by its key. It is freed when no worker refers to it, so that an endpoint
 *         keeps its health over a reload and the restart of a worker.
 *
 * Times are milliseconds of one clock that all callers share and that never runs backwards:
 * CLOCK_MONOTONIC.
 */
#ifndef SNT_ENDPOINT_TABLE_H
#define SNT_ENDPOINT_TABLE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNT_ROWS_MAX 65536u
#define SNT_CELLS_MAX 1024u
/* Keys below it are not given out: 0 is a free row. */
#define SNT_KEY_MIN 2u
#define SNT_NO_ROW UINT32_MAX
/* Of what all workers sign cookies with. */
#define SNT_SECRET_BYTES 32

/* Why an endpoint is not used, beside an ejection. */
enum {
  SNT_DRAINING = 1, /* somebody asked for it */
  SNT_DOWN = 2      /* its active check fails */
};

/* Kinds of failures that are counted one by one. */
enum {
  SNT_GATEWAY_FAILURE = 0, /* no answer: connect, reset, timeout, not HTTP */
  SNT_SERVER_FAILURE = 1   /* an answer of 5xx */
};

/* One cache line, so that a failure of one endpoint does not slow picks of another. */
typedef struct {
  alignas(64) _Atomic uint64_t key;
  _Atomic uint64_t flags;    /* SNT_DRAINING | SNT_DOWN */
  _Atomic uint64_t ejection; /* how often in a row << 48 | until when */
  _Atomic uint64_t streaks;  /* who failed first << 32 | several << 31 | two counts of 15 bits */
  _Atomic uint64_t latency;  /* of the head of an answer: a moving average in microseconds */
  _Atomic uint64_t since;    /* when it came into service, or back; 0: it always was */
  _Atomic uint64_t lease;    /* how often it was taken << 16 | sweeps since that found nobody; or ended */
} snt_row;

/* What one worker does with one endpoint. */
typedef struct {
  alignas(64) _Atomic uint64_t active; /* requests under way */
  _Atomic uint64_t references;
  _Atomic uint64_t requests; /* tries so far, and */
  _Atomic uint64_t failures; /* how many of them failed */
} snt_cell;

typedef struct {
  uint64_t magic;
  uint32_t rows;
  uint32_t cells; /* per row */
  uint8_t secret[SNT_SECRET_BYTES];
  alignas(64) snt_row row[];
} snt_endpoints;

/* Health and load are each a word of their own, and steer nothing but picks: no order is needed. */
static inline uint64_t snt_load(const _Atomic uint64_t *word) {
  return atomic_load_explicit((_Atomic uint64_t *)word, memory_order_relaxed);
}

_Static_assert(sizeof(snt_row) == 64 && sizeof(snt_cell) == 64, "a row and a cell are one cache line each");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "atomics that take a lock do not work between processes");

/* How failures lead to an ejection. */
typedef struct {
  uint32_t failures[2]; /* of each kind in a row; 0: never */
  uint32_t base_ms;     /* the first ejection's time; the n-th in a row takes n times as long, */
  uint32_t max_ms;      /* at most this */
} snt_ejection_rules;

/* Bytes for a table of `rows` endpoints and `cells` workers; 0 beyond the bounds above, or when
 * either is 0. */
size_t snt_endpoints_size(uint32_t rows, uint32_t cells);

/* Make a table in `memory`, zeroed and aligned to a cache line, before any other process sees
 * it. */
snt_endpoints *snt_endpoints_make(void *memory, uint32_t rows, uint32_t cells, const uint8_t secret[SNT_SECRET_BYTES]);

/* A table that another process made; NULL when these `size` bytes are not one of this version. */
snt_endpoints *snt_endpoints_open(void *memory, size_t size);

snt_cell *snt_cell_of(snt_endpoints *table, uint32_t row, uint32_t cell);

/* Find the endpoint's row, or take a free one for it, which came into service at `now`; refer to it
 * from a worker's cell. SNT_NO_ROW when all rows are taken. */
uint32_t snt_acquire(snt_endpoints *table, uint64_t key, uint32_t cell, uint64_t now);
void snt_release(snt_endpoints *table, uint32_t row, uint32_t cell);

/* The row of a key, or SNT_NO_ROW. */
uint32_t snt_find(const snt_endpoints *table, uint64_t key);

/* A worker is gone: nothing of it is under way, and it refers to nothing. Its counts of requests
 * stay. */
void snt_clear_cell(snt_endpoints *table, uint32_t cell);

/* Free the rows that no worker has referred to for `sweeps` calls of this, 1 to 65535; one process
 * only calls it. */
void snt_sweep(snt_endpoints *table, uint64_t sweeps);

/* Set and clear flags; returns those that were set. One that its check held down and is cleared has
 * come into service at `now`. */
uint64_t snt_flag(snt_row *row, uint64_t set, uint64_t clear, uint64_t now);

bool snt_is_ejected(const snt_row *row, uint64_t now);

/* When it came into service, or back from an ejection; 0 when it was there from the start. */
uint64_t snt_in_service_since(const snt_row *row, uint64_t now);

/* An answer came in `microseconds`. */
void snt_succeeded(snt_row *row, uint64_t microseconds);

/* A request of `client` (a hash) failed. Returns whether the endpoint is to be ejected: so many
 * failures in a row, and not all of one client. `confirmed`: the failure is the endpoint's for
 * certain, since nothing was sent to it, or since the same request succeeded elsewhere; then one
 * client is enough. */
bool snt_failed(snt_row *row, uint32_t kind, uint32_t client, bool confirmed, const snt_ejection_rules *rules);

/* Eject, unless it is ejected already; `random` spreads the end by up to a tenth. Returns for how
 * many milliseconds. */
uint64_t snt_eject(snt_row *row, const snt_ejection_rules *rules, uint64_t now, uint32_t random);

/* Take an ejection back that was one too many, or end it because the endpoint is known to be
 * well. */
void snt_readmit(snt_row *row, uint64_t now);

/* A worker's requests on an endpoint begin, end and fail. */
void snt_begin(snt_cell *cell);
void snt_end(snt_cell *cell);
void snt_count_failure(snt_cell *cell);

uint64_t snt_active(const snt_endpoints *table, uint32_t row);

#endif
