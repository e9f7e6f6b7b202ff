/* What Python sees of the C: a copy of the declarations in src/limiter.h, which the compiler holds
 * to them. */

#define SNT_LIMIT_REQUESTS_MAX ...
#define SNT_LIMIT_WINDOW_MAX ...

enum { SNT_FIXED_WINDOW, SNT_LEAKY_BUCKET, ... };
enum { SNT_OVERFLOW_SHARE, SNT_OVERFLOW_OPEN, SNT_OVERFLOW_CLOSED, ... };

static const int64_t SNT_VERDICT_OVERFLOW;

typedef struct {
  uint64_t id;
  uint32_t requests;
  uint32_t window_ms;
  uint32_t algorithm;
  uint32_t overflow;
} snt_limit;
typedef struct snt_table snt_table;

size_t snt_table_size(uint64_t slots);
snt_table *snt_table_make(void *memory, uint64_t slots, const uint64_t *secret);
snt_table *snt_table_open(void *memory, size_t size);
int64_t snt_limit_check(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length, uint64_t now);
bool snt_limit_learn(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length, uint64_t now,
                     uint32_t used, uint32_t left_ms);
uint64_t snt_table_slots(const snt_table *table);
uint64_t snt_table_live(const snt_table *table, uint64_t now);
uint64_t snt_table_overflows(const snt_table *table);
int64_t snt_limit_check_now(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length);
