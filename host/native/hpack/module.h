/* What the files of sentinel_host.http.h2._hpack share. */
#ifndef SNT_HPACK_MODULE_H
#define SNT_HPACK_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <string.h>

#include "src/block.h"
#include "src/huffman.h"

extern PyType_Spec snt_decoder_type;

#endif
