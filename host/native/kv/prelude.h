/* Put before the C that cffi generates. */

#include "kv.h"
