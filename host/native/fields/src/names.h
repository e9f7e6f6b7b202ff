/* Names of header fields with a number each, by which a field's treatment is found.
 *
 * Rule 1: nothing here knows Python, allocates, or reads beyond the lengths that it is given.
 * Rule 2: the names are chosen by whoever wrote the program or configured it. No client's name is
 *         ever added, so that nobody can make looking up slow.
 * Rule 3: looking up is compiled into its callers: it is shorter than what calling it takes.
 */
#ifndef SNT_NAMES_H
#define SNT_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../src/text.h"

/* A slot whose number is 0 is free. */
typedef struct {
  snt_text name;
  uint32_t number;
} snt_name;

/* `mask` is the number of slots less one, a power of two less one. A slot is always free. */
typedef struct {
  snt_name *slots;
  size_t mask;
} snt_names;

/* How many slots so many names need. */
size_t snt_slots_for(size_t count);

/* The name is not empty and in lower case, the number is not 0; the text must stay where it is.
 * The first number of a name counts. */
void snt_add_name(snt_names *names, snt_text name, uint32_t number);

static inline uint8_t snt_lower(uint8_t byte) {
  return (uint8_t)(byte | ((uint8_t)(byte - 'A') <= 'Z' - 'A' ? 0x20 : 0));
}

/* Whether `text`, in any case, is `name`, which is as long and in lower case; as it mostly is. */
static inline bool snt_is_lowered(snt_text text, const uint8_t *name) {
  if (memcmp(text.bytes, name, text.length) == 0) return true;
  for (size_t i = 0; i < text.length; i++)
    if (snt_lower(text.bytes[i]) != name[i]) return false;
  return true;
}

/* Where a name's slot is looked for first. The name is not empty; its case does not matter. */
static inline size_t snt_place_of(snt_text name) {
  const size_t first = name.bytes[0] | 0x20u, last = name.bytes[name.length - 1] | 0x20u;
  return first + 31 * last + 7 * (name.bytes[name.length / 2] | 0x20u) + 13 * name.length;
}

/* The number of a name as it stands, or 0. */
static inline uint32_t snt_number_of(const snt_names *names, snt_text name) {
  if (name.length == 0) return 0;
  for (size_t place = snt_place_of(name);; place++) {
    const snt_name *slot = &names->slots[place & names->mask];
    if (slot->number == 0) return 0;
    if (slot->name.length == name.length && memcmp(slot->name.bytes, name.bytes, name.length) == 0) return slot->number;
  }
}

/* The number of a name in any case, or 0. */
static inline uint32_t snt_number_of_lowered(const snt_names *names, snt_text name) {
  if (name.length == 0) return 0;
  for (size_t place = snt_place_of(name);; place++) {
    const snt_name *slot = &names->slots[place & names->mask];
    if (slot->number == 0) return 0;
    if (slot->name.length == name.length && snt_is_lowered(name, slot->name.bytes)) return slot->number;
  }
}

#endif
