#include "table.h"

#include <string.h>

#define MAGIC 0x31305450454e5353u /* "SSNEPT01": changes with the layout */
/* A lease that has ended, and the key of a row that is being emptied. */
#define LEAVING ((uint64_t)1)
#define ENDED UINT64_MAX
#define LEASE_SHIFT 16
#define SWEEPS_MASK (((uint64_t)1 << LEASE_SHIFT) - 1)
#define UNTIL_BITS 48
#define UNTIL_MASK (((uint64_t)1 << UNTIL_BITS) - 1)
#define TIMES_MAX 0xffffu
#define COUNT_BITS 15
#define COUNT_MASK ((1u << COUNT_BITS) - 1)
#define SEVERAL ((uint64_t)1 << 31)
#define CLIENT_SHIFT 32
/* Of a moving average, each answer is an eighth (as TCP's smoothed round-trip time, RFC 6298
 * section 2). */
#define LATENCY_SHIFT 3

static bool swap(_Atomic uint64_t *word, uint64_t before, uint64_t after) {
  return atomic_compare_exchange_strong_explicit(word, &before, after, memory_order_seq_cst, memory_order_relaxed);
}

/* --- the table -------------------------------------------------------------------------------- */

static size_t size_of(uint32_t rows, uint32_t cells) {
  return sizeof(snt_endpoints) + (size_t)rows * (sizeof(snt_row) + (size_t)cells * sizeof(snt_cell));
}

size_t snt_endpoints_size(uint32_t rows, uint32_t cells) {
  bool fits = rows > 0 && rows <= SNT_ROWS_MAX && cells > 0 && cells <= SNT_CELLS_MAX;
  return fits ? size_of(rows, cells) : 0;
}

snt_endpoints *snt_endpoints_make(void *memory, uint32_t rows, uint32_t cells, const uint8_t secret[SNT_SECRET_BYTES]) {
  snt_endpoints *table = memory;
  table->magic = MAGIC;
  table->rows = rows;
  table->cells = cells;
  memcpy(table->secret, secret, sizeof table->secret);
  return table;
}

snt_endpoints *snt_endpoints_open(void *memory, size_t size) {
  snt_endpoints *table = memory;
  if (size < sizeof *table || table->magic != MAGIC) return NULL;
  size_t expected = snt_endpoints_size(table->rows, table->cells);
  return expected != 0 && expected == size ? table : NULL;
}

snt_cell *snt_cell_of(snt_endpoints *table, uint32_t row, uint32_t cell) {
  return (snt_cell *)(void *)&table->row[table->rows] + (size_t)row * table->cells + cell;
}

static const snt_cell *cells_of(const snt_endpoints *table, uint32_t row) {
  return (const snt_cell *)(const void *)&table->row[table->rows] + (size_t)row * table->cells;
}

/* Only its own worker writes a cell: a load and a store are enough. */
static void add(_Atomic uint64_t *word, uint64_t amount) {
  atomic_store_explicit(word, snt_load(word) + amount, memory_order_relaxed);
}

void snt_begin(snt_cell *cell) {
  add(&cell->active, 1);
  add(&cell->requests, 1);
}

void snt_end(snt_cell *cell) {
  if (snt_load(&cell->active) > 0) add(&cell->active, UINT64_MAX);
}

void snt_count_failure(snt_cell *cell) { add(&cell->failures, 1); }

uint64_t snt_active(const snt_endpoints *table, uint32_t row) {
  const snt_cell *cells = cells_of(table, row);
  uint64_t active = 0;
  for (uint32_t cell = 0; cell < table->cells; cell++) active += snt_load(&cells[cell].active);
  return active;
}

/* --- rows and their keys ---------------------------------------------------------------------- */

/* These words decide who has a row: their order matters. */
static uint64_t read(const _Atomic uint64_t *word) {
  return atomic_load_explicit((_Atomic uint64_t *)word, memory_order_seq_cst);
}

/* A row that holds the key other than `own`; and the first free one, or SNT_NO_ROW. */
static uint32_t search(const snt_endpoints *table, uint64_t key, uint32_t own, uint32_t *vacant) {
  uint32_t first = (uint32_t)(key % table->rows);
  *vacant = SNT_NO_ROW;
  for (uint32_t step = 0; step < table->rows; step++) {
    uint32_t index = first + step < table->rows ? first + step : first + step - table->rows;
    const snt_row *row = &table->row[index];
    uint64_t found = read(&row->key);
    if (found == key && index != own && read(&row->lease) != ENDED) return index;
    if (found == 0 && *vacant == SNT_NO_ROW) *vacant = index;
  }
  return SNT_NO_ROW;
}

uint32_t snt_find(const snt_endpoints *table, uint64_t key) {
  uint32_t vacant;
  return search(table, key, SNT_NO_ROW, &vacant);
}

/* A row with the key, if need be a new one. Of two workers that take one each at the same time, at
 * least one sees the other's, gives its own back and looks again. */
static uint32_t find_or_take(snt_endpoints *table, uint64_t key, uint64_t now) {
  for (;;) {
    uint32_t vacant, index = search(table, key, SNT_NO_ROW, &vacant);
    if (index != SNT_NO_ROW || vacant == SNT_NO_ROW) return index;
    snt_row *row = &table->row[vacant];
    if (!swap(&row->key, 0, key)) continue;
    uint32_t ignored;
    if (search(table, key, vacant, &ignored) == SNT_NO_ROW) {
      swap(&row->since, 0, now);
      return vacant;
    }
    swap(&row->key, key, 0);
  }
}

/* Renew a row's lease, so that whoever is about to free it does not; false when he has begun. */
static bool renew(snt_row *row) {
  uint64_t before;
  do {
    before = read(&row->lease);
    if (before == ENDED) return false;
  } while (!swap(&row->lease, before, ((before >> LEASE_SHIFT) + 1) << LEASE_SHIFT));
  return true;
}

uint32_t snt_acquire(snt_endpoints *table, uint64_t key, uint32_t cell, uint64_t now) {
  for (;;) {
    uint32_t index = find_or_take(table, key, now);
    if (index == SNT_NO_ROW) return index;
    _Atomic uint64_t *references = &snt_cell_of(table, index, cell)->references;
    atomic_fetch_add_explicit(references, 1, memory_order_seq_cst);
    /* In between it may have been freed, and taken for another endpoint. From here on it is not. */
    if (renew(&table->row[index]) && read(&table->row[index].key) == key) return index;
    atomic_fetch_sub_explicit(references, 1, memory_order_seq_cst);
  }
}

void snt_release(snt_endpoints *table, uint32_t row, uint32_t cell) {
  atomic_fetch_sub_explicit(&snt_cell_of(table, row, cell)->references, 1, memory_order_seq_cst);
}

static bool is_referred_to(const snt_endpoints *table, uint32_t row) {
  const snt_cell *cells = cells_of(table, row);
  for (uint32_t cell = 0; cell < table->cells; cell++) {
    if (read(&cells[cell].references) != 0) return true;
  }
  return false;
}

void snt_clear_cell(snt_endpoints *table, uint32_t cell) {
  for (uint32_t row = 0; row < table->rows; row++) {
    snt_cell *of = snt_cell_of(table, row, cell);
    atomic_store_explicit(&of->active, 0, memory_order_relaxed);
    atomic_store_explicit(&of->references, 0, memory_order_seq_cst);
  }
}

/* Empty a row whose lease has ended. Whoever is killed in here leaves a row that the next sweep
 * empties. */
static void empty(snt_endpoints *table, uint32_t index) {
  snt_row *row = &table->row[index];
  atomic_store_explicit(&row->key, LEAVING, memory_order_seq_cst);
  _Atomic uint64_t *words[] = {&row->flags, &row->ejection, &row->streaks, &row->latency, &row->since};
  for (size_t word = 0; word < sizeof words / sizeof *words; word++) {
    atomic_store_explicit(words[word], 0, memory_order_relaxed);
  }
  for (uint32_t cell = 0; cell < table->cells; cell++) {
    atomic_store_explicit(&snt_cell_of(table, index, cell)->requests, 0, memory_order_relaxed);
    atomic_store_explicit(&snt_cell_of(table, index, cell)->failures, 0, memory_order_relaxed);
  }
  atomic_store_explicit(&row->lease, 0, memory_order_seq_cst);
  atomic_store_explicit(&row->key, 0, memory_order_seq_cst);
}

void snt_sweep(snt_endpoints *table, uint64_t sweeps) {
  for (uint32_t index = 0; index < table->rows; index++) {
    snt_row *row = &table->row[index];
    uint64_t key = read(&row->key), lease = read(&row->lease);
    if (key == LEAVING || lease == ENDED) {
      empty(table, index);
    } else if (key != 0) {
      /* A worker that takes the row meanwhile renews the lease, and the swap fails. */
      uint64_t unused = is_referred_to(table, index) ? 0 : (lease & SWEEPS_MASK) + 1;
      if (unused < sweeps) {
        swap(&row->lease, lease, (lease & ~SWEEPS_MASK) | unused);
      } else if (swap(&row->lease, lease, ENDED)) {
        empty(table, index);
      }
    }
  }
}

/* --- health ----------------------------------------------------------------------------------- */

uint64_t snt_flag(snt_row *row, uint64_t set, uint64_t clear, uint64_t now) {
  uint64_t before;
  do {
    before = snt_load(&row->flags);
  } while (!swap(&row->flags, before, (before & ~clear) | set));
  if ((before & clear & SNT_DOWN) != 0) atomic_store_explicit(&row->since, now, memory_order_relaxed);
  return before;
}

static uint64_t until(uint64_t ejection) { return ejection & UNTIL_MASK; }

bool snt_is_ejected(const snt_row *row, uint64_t now) { return until(snt_load(&row->ejection)) > now; }

uint64_t snt_in_service_since(const snt_row *row, uint64_t now) {
  uint64_t since = snt_load(&row->since), back = until(snt_load(&row->ejection));
  return back > since && back <= now ? back : since;
}

void snt_succeeded(snt_row *row, uint64_t microseconds) {
  /* Most of the time both are as they should be, and nothing is written that other workers read. */
  if (snt_load(&row->streaks) != 0) atomic_store_explicit(&row->streaks, 0, memory_order_relaxed);
  uint64_t average = snt_load(&row->latency);
  uint64_t next = average == 0 ? microseconds : average - (average >> LATENCY_SHIFT) + (microseconds >> LATENCY_SHIFT);
  /* One that is lost to another worker's is no loss: it is an average. */
  if (next != average) swap(&row->latency, average, next);
}

static uint32_t count_of(uint64_t streaks, uint32_t kind) { return streaks >> (kind * COUNT_BITS) & COUNT_MASK; }

bool snt_failed(snt_row *row, uint32_t kind, uint32_t client, bool confirmed, const snt_ejection_rules *rules) {
  /* 0 is nobody. */
  uint64_t who = client == 0 ? 1 : client;
  uint64_t before, after;
  do {
    before = snt_load(&row->streaks);
    after = before;
    if (count_of(before, kind) < COUNT_MASK) after += (uint64_t)1 << (kind * COUNT_BITS);
    uint64_t first = before >> CLIENT_SHIFT;
    if (first == 0) after |= who << CLIENT_SHIFT;
    if (confirmed || (first != 0 && first != who)) after |= SEVERAL;
  } while (!swap(&row->streaks, before, after));
  uint32_t enough = rules->failures[kind];
  return enough != 0 && count_of(after, kind) >= enough && (after & SEVERAL) != 0;
}

uint64_t snt_eject(snt_row *row, const snt_ejection_rules *rules, uint64_t now, uint32_t random) {
  uint64_t before, time;
  uint64_t times;
  do {
    before = snt_load(&row->ejection);
    if (until(before) > now) return 0;
    times = before >> UNTIL_BITS;
    /* Each stretch of good health as long as the first ejection makes up for one. */
    uint64_t well = before == 0 || rules->base_ms == 0 ? 0 : (now - until(before)) / rules->base_ms;
    times = (times > well ? times - well : 0) + 1;
    if (times > TIMES_MAX) times = TIMES_MAX;
    time = rules->base_ms * times;
    if (time > rules->max_ms) time = rules->max_ms;
    time += time * (random % 1024) / 10240;
  } while (!swap(&row->ejection, before, times << UNTIL_BITS | (now + time)));
  atomic_store_explicit(&row->streaks, 0, memory_order_relaxed);
  return time;
}

void snt_readmit(snt_row *row, uint64_t now) {
  uint64_t before;
  do {
    before = snt_load(&row->ejection);
    if (until(before) <= now) return;
  } while (!swap(&row->ejection, before, (before & ~UNTIL_MASK) | now));
}
