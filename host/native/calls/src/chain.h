/* The hooks of one kind in a chain, called one after the other without Python in between.
 *
 * Rule 1: a run goes on as long as hooks end at once with a plain answer or none. Everything else
 *         stops it, and is Python's: no idle instance, a guest that C cannot call, a call that is
 *         suspended or has failed, an instance that should be retired, an answer that is not plain.
 * Rule 2: an instance stays in its pool's list of idle ones while it is called, because no code of
 *         Python's runs meanwhile. It is taken out when Python is to go on with it.
 * Rule 3: a record is no object of Python's unless Python is to have it. What a suspended call was
 *         given is held by the stop that tells of it.
 */
#ifndef SNT_CHAIN_H
#define SNT_CHAIN_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "../../src/guest.h"

typedef int64_t snt_call_function(snt_guest *, uint32_t, const uint8_t *, size_t, const uint8_t *, size_t, bool,
                                  const char *);
typedef const uint8_t *snt_output_function(const snt_guest *);
typedef void snt_move_function(snt_guest *, const uint8_t *);

/* The functions behind cffi, once they are bound. */
extern snt_call_function *snt_calls_hook;
extern snt_output_function *snt_calls_output;
extern snt_move_function *snt_calls_move;

extern PyType_Spec snt_hooks_spec;

PyObject *snt_run_request(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *snt_run_response(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *snt_run_completion(PyObject *module, PyObject *const *args, Py_ssize_t count);

#endif
