/* What Python sees of the C: a copy of the declarations in src/, which the compiler holds to
 * them. */

typedef ... snt_engine;
typedef ... snt_log;
typedef ... snt_ticker;
typedef ... snt_plan;
typedef ... snt_guest;
typedef ... snt_stand_ins;

typedef struct {
  int64_t memory, table_elements, tables;
  uint32_t result;
  uint32_t lines;
  uint32_t level;
  uint64_t deadline;
  uint64_t start_deadline;
  uint64_t retire_calls;
  uint64_t high_water;
  uint64_t high_calls;
} snt_limits;

typedef struct {
  uint64_t calls, suspensions, cpu_ns, lines_cut;
  uint64_t started;
  uint64_t instances;
  uint64_t memory_bytes;
  uint64_t kv_calls, kv_full, kv_unavailable;
} snt_counters;

typedef struct {
  uint32_t count;
  double upper[16];
} snt_bounds;

typedef struct {
  uint32_t kind, version;
  uint32_t name_length, help_length, unit_length;
  uint64_t described;
  snt_bounds bounds;
  uint8_t name[64], help[256], unit[32];
} snt_description;

typedef struct {
  uint8_t *key;
  uint32_t length, kind;
  uint64_t hash;
  uint64_t count;
  double sum;
  const snt_bounds *bounds;
  uint64_t buckets[17];
} snt_series;

typedef struct {
  uint64_t full, invalid;
  uint32_t used;
  uint32_t versions;
  uint32_t described;
  ...;
} snt_metrics;

#define SNT_TRAIL_LABEL ...
typedef struct {
  char label[...];
  uint64_t began_ns, ended_ns, used_ns;
  int64_t result;
  uint32_t taken;
  uint16_t mark, hook;
} snt_trail_call;

typedef struct {
  bool enabled;
  uint64_t count;
  ...;
} snt_trail;

extern const snt_bounds SNT_METRIC_BOUNDS;
enum { SNT_COUNTER, SNT_HISTOGRAM };

static const size_t SNT_SIZEOF_FUNC;
static const size_t SNT_SIZEOF_MEMORY;
static const size_t SNT_SIZEOF_INSTANCE;
static const size_t SNT_SIZEOF_VAL_RAW;
static const size_t SNT_SIZEOF_EXTERN;
static const size_t SNT_SIZEOF_CONTINUATION;
static const size_t SNT_OFFSET_EXTERN_OF;
static const size_t SNT_SIZEOF_LOG_LINE;
static const size_t SNT_SIZEOF_RECORDED;
#define SNT_RECORD_BYTES ...

#define SNT_HOOKS ...
#define SNT_LOG_MESSAGE_MAX ...
static const int64_t SNT_RETIRABLE;

enum { SNT_SLOT_CONFIGURE, SNT_SLOT_NEEDED_HOOKS, SNT_SLOT_INITIALIZE, SNT_SLOT_ARGUMENT_AREA, ... };
enum { SNT_NEW, SNT_STARTING, SNT_INITIALIZING, SNT_CONFIGURING, SNT_SELECTING, SNT_LENDING, SNT_SERVING };

enum { SNT_RETURNS_NOTHING, SNT_RETURNS_LIST, SNT_RETURNS_OUTCOME, SNT_RETURNS_NUMBER, SNT_RETURNS_AREA, ... };
enum {
  SNT_REFUSED,
  SNT_TRAP_IN_REALLOC,
  SNT_TRAP_IN_HOOK,
  SNT_TRAP_IN_POST,
  SNT_TRAP_IN_START,
  SNT_REALLOC_OUT_OF_BOUNDS,
  SNT_AREA_MISALIGNED,
  SNT_AREA_OUT_OF_BOUNDS,
  SNT_RESULT_OUT_OF_BOUNDS,
  SNT_RESULT_TOO_LONG,
  SNT_BAD_DISCRIMINANT,
  SNT_INPUT_TOO_LONG,
  SNT_NO_HOOK,
  SNT_BUSY,
  SNT_DISCARDED,
  SNT_NO_MEMORY,
  SNT_LENT_OUT_OF_BOUNDS,
  SNT_SUSPENDED,
  SNT_WAITING,
  ...
};

snt_engine *snt_engine_new(void);
const char *snt_engine_name(size_t index);
bool snt_engine_set(snt_engine *engine, size_t index, uintptr_t address);

snt_log *snt_log_new(const snt_engine *engine, size_t capacity);
void snt_log_free(snt_log *log);
size_t snt_log_drain(snt_log *log, uint8_t *out, uint64_t *dropped);
size_t snt_log_render(const uint8_t *lines, size_t size, size_t *offset, uint32_t least, uint64_t milliseconds,
                      uint8_t *out, size_t room);
uintptr_t snt_log_write_address(void);

const char *snt_import_name(size_t index);
uintptr_t snt_import_address(size_t index);
uintptr_t snt_http_wait_address(void);
uintptr_t snt_run_call_address(void);

snt_stand_ins *snt_stand_ins_new(const snt_engine *engine);
void snt_stand_ins_free(snt_stand_ins *host);
void snt_stand_ins_clock(snt_stand_ins *host, int64_t wall, int64_t monotonic);
const uint64_t *snt_stand_ins_now(const snt_stand_ins *host);
void snt_stand_ins_seed(snt_stand_ins *host, uint64_t seed);
void snt_stand_ins_fail_kv(snt_stand_ins *host, int32_t error);
size_t snt_stand_ins_take(snt_stand_ins *host, uint8_t *out, uint64_t *lost);
uintptr_t snt_stand_in_address(size_t index);

snt_ticker *snt_ticker_new(const snt_engine *engine, uintptr_t wasm_engine);
void snt_ticker_free(snt_ticker *ticker);

snt_counters *snt_counters_new(void);
snt_plan *snt_plan_new(const snt_engine *engine, snt_ticker *ticker, uintptr_t wasm_engine, uintptr_t pre,
                       uintptr_t loop, snt_counters *counters, const snt_limits *limits, const char *name);
void snt_plan_free(snt_plan *plan);
bool snt_plan_hook(snt_plan *plan, uint32_t index, uint32_t lists, bool takes_flag, uint32_t returns, const char *name,
                   const char *post);
uint64_t snt_plan_calls(const snt_plan *plan);
void snt_plan_metrics(snt_plan *plan, snt_metrics *metrics);
void snt_plan_log(snt_plan *plan, snt_log *log);
void snt_plan_trail(snt_plan *plan, snt_trail *trail, uint16_t mark);
void snt_plan_http(snt_plan *plan, uintptr_t linker, uint32_t calls, uint32_t request);
void snt_plan_kv(snt_plan *plan, uintptr_t store, uint32_t space, uint64_t quota);
void snt_plan_kv_clock(snt_plan *plan, const uint64_t *now);

snt_trail *snt_trail_new(size_t capacity);
void snt_trail_free(snt_trail *trail);
size_t snt_trail_find(const snt_trail *trail, const char *label, uint64_t since_ns, snt_trail_call *out, size_t room);

snt_metrics *snt_metrics_new(void);
const snt_description *snt_metrics_description(const snt_metrics *metrics, uint32_t place);
const snt_series *snt_metrics_at(const snt_metrics *metrics, uint32_t place);

snt_guest *snt_guest_new(snt_plan *plan);
void snt_guest_free(snt_guest *guest);
int64_t snt_guest_start(snt_guest *guest, const uint8_t *config, size_t length);
int64_t snt_resume(snt_guest *guest);
const uint8_t *snt_guest_wanted(const snt_guest *guest);
size_t snt_guest_wanted_length(const snt_guest *guest);
bool snt_guest_deliver(snt_guest *guest, int32_t error, const uint8_t *answer, size_t length);
int64_t snt_call(snt_guest *guest, uint32_t index, const uint8_t *first, size_t first_length, const uint8_t *second,
                 size_t second_length, bool flag, const char *label);
const uint8_t *snt_guest_output(const snt_guest *guest);
void snt_guest_move(snt_guest *guest, const uint8_t *first);
size_t snt_guest_length(const snt_guest *guest);
uint32_t snt_guest_needed_hooks(const snt_guest *guest);
int snt_guest_phase(const snt_guest *guest);
bool snt_guest_timed_out(const snt_guest *guest);
uintptr_t snt_guest_take_trap(snt_guest *guest);
uintptr_t snt_guest_take_error(snt_guest *guest);
