/* What Python sees of the C: a copy of the declarations in src/kv.h, which the compiler holds to
 * them. */

#define SNT_KV_BLOCK ...
#define SNT_KV_SPACES ...
#define SNT_KV_SPACE_NAME ...

enum { SNT_KV_FULL, SNT_KV_TOO_LARGE, SNT_KV_NOT_A_NUMBER, SNT_KV_UNAVAILABLE, SNT_KV_ABSENT, ... };

typedef struct snt_kv snt_kv;

size_t snt_kv_size(uint64_t bytes);
snt_kv *snt_kv_make(void *memory, uint64_t bytes, const uint64_t *secret);
snt_kv *snt_kv_open(void *memory, size_t size);
int64_t snt_kv_space(snt_kv *kv, const char *name);
int snt_kv_set(snt_kv *kv, uint32_t space, uint64_t quota, const uint8_t *key, size_t length, const uint8_t *value,
               size_t value_length, uint64_t ttl, uint64_t now);
uint64_t snt_kv_used(const snt_kv *kv, uint32_t space);
uint64_t snt_kv_capacity(const snt_kv *kv);
uint64_t snt_kv_recoveries(const snt_kv *kv);
