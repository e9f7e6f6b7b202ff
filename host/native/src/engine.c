#include "engine.h"

#include <stdlib.h>

static const char *const NAMES[] = {
#define SNT_NAME(result, name, parameters) #name,
    SNT_ENGINE_FUNCTIONS(SNT_NAME)
#undef SNT_NAME
};

enum {
#define SNT_INDEX(result, name, parameters) INDEX_##name,
  SNT_ENGINE_FUNCTIONS(SNT_INDEX)
#undef SNT_INDEX
      INDEX_END
};

snt_engine *snt_engine_new(void) { return calloc(1, sizeof(snt_engine)); }

const char *snt_engine_name(size_t index) { return index < INDEX_END ? NAMES[index] : NULL; }

bool snt_engine_set(snt_engine *engine, size_t index, uintptr_t address) {
  switch (index) {
#define SNT_SET(result, name, parameters)              \
  case INDEX_##name:                                   \
    engine->name = (result(*) parameters)address;      \
    return true;
    SNT_ENGINE_FUNCTIONS(SNT_SET)
#undef SNT_SET
  default:
    return false;
  }
}
