/* What the files of sentinel_host.upstream._endpoints share: its three types, and its clock. */
#ifndef SNT_ENDPOINTS_MODULE_H
#define SNT_ENDPOINTS_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "src/group.h"

typedef struct {
  PyObject_HEAD
  Py_buffer memory;
  snt_endpoints *table;
} table_object;

typedef struct {
  PyObject_HEAD
  PyObject *table; /* kept as long as its memory is used */
  snt_endpoints *rows;
  uint32_t row, cell;
} cell_object;

/* The types whose objects are arguments of other types' constructors. */
typedef struct {
  PyTypeObject *table, *cell;
} module_state;

extern PyType_Spec snt_table_type, snt_cell_type, snt_group_type;

/* Milliseconds of the clock that all workers share. */
uint64_t snt_now_ms(void);

#endif
