/* The type FieldNames. */
#ifndef SNT_NAMES_TYPE_H
#define SNT_NAMES_TYPE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyType_Spec snt_names_spec;

#endif
