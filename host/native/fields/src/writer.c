#include "writer.h"

#include <string.h>

bool snt_grow(snt_writer *out, size_t size) {
  size_t used = (size_t)(out->at - out->start), capacity = 2 * (size_t)(out->end - out->start);
  if (capacity < used + size) capacity = used + size;
  uint8_t *block = PyMem_Realloc(out->block, capacity);
  if (block == NULL) {
    PyErr_NoMemory();
    return false;
  }
  if (out->block == NULL) memcpy(block, out->room, used);
  out->block = out->start = block;
  out->at = block + used;
  out->end = block + capacity;
  return true;
}

PyObject *snt_end_writing(snt_writer *out, bool is_good) {
  PyObject *written = NULL;
  if (is_good) written = PyBytes_FromStringAndSize((const char *)out->start, out->at - out->start);
  PyMem_Free(out->block);
  return written;
}
