#include "names.h"

size_t snt_slots_for(size_t count) {
  size_t slots = 8;
  /* Sparse, so that most names that are not there meet a free slot at once. */
  while (slots < 4 * count + 1) slots *= 2;
  return slots;
}

void snt_add_name(snt_names *names, snt_text name, uint32_t number) {
  if (snt_number_of(names, name) != 0) return;
  size_t place = snt_place_of(name) & names->mask;
  while (names->slots[place].number != 0) place = (place + 1) & names->mask;
  names->slots[place] = (snt_name){name, number};
}
