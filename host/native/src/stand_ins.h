/* Stand-ins for the functions that guests import, for tests of guests: time stands still, random
 * numbers follow from a seed, keys can be made to fail, and every call is recorded.
 *
 * Rule 1: a stand-in records, and otherwise does what the function that it stands for does, by
 *         calling that where there is something to do. So a guest under test meets the checks that
 *         it meets in a gateway.
 * Rule 2: they have the signature of imports, with an snt_stand_ins as `env`, which outlives the
 *         instances.
 * Rule 3: the record is bounded. Calls beyond it happen, and are counted as lost.
 */
#ifndef SNT_STAND_INS_H
#define SNT_STAND_INS_H

#include "host.h"

/* Of the record: room for a few thousand calls of a case. */
#define SNT_RECORD_BYTES (1 << 20)

typedef struct snt_stand_ins snt_stand_ins;

/* What a recorded call begins with. The index is that of snt_import_name; two byte strings
 * follow. */
typedef struct {
  uint32_t index, first, second, reserved;
  int64_t number;
} snt_recorded;

/* NULL without memory. */
snt_stand_ins *snt_stand_ins_new(const snt_engine *engine);
void snt_stand_ins_free(snt_stand_ins *host);

/* What the clocks tell: nanoseconds of the Unix epoch, and of a start that nobody knows. Keys run
 * out by the second. */
void snt_stand_ins_clock(snt_stand_ins *host, int64_t wall, int64_t monotonic);

/* Milliseconds, for snt_plan_kv_clock. */
const uint64_t *snt_stand_ins_now(const snt_stand_ins *host);

void snt_stand_ins_seed(snt_stand_ins *host, uint64_t seed);

/* Let every call of `kv` answer this case of kv.error, or none when it is negative. */
void snt_stand_ins_fail_kv(snt_stand_ins *host, int32_t error);

/* Take what was recorded to `out`, which has SNT_RECORD_BYTES; returns its length, and how many
 * calls were lost. */
size_t snt_stand_ins_take(snt_stand_ins *host, uint8_t *out, uint64_t *lost);

/* The address of a stand-in by the index of snt_import_name. */
uintptr_t snt_stand_in_address(size_t index);

#endif
