/* Finding words in a stream: the automaton of Aho and Corasick (1975), with a column for each byte
 * of a word. */
#ifndef WORDS_H
#define WORDS_H

#include <sentinel.h>

typedef struct words {
  /* The column of each byte; 0 is that of all bytes that are in no word. */
  uint8_t columns[256];
  size_t width;
  uint16_t *next;
  /* Of each state the longest word that ends there, and how many bytes before it may begin one. */
  uint16_t *found;
  uint16_t *open;
} words;

/* What is wrong with these words, or NULL. */
const char *words_problem(const sentinel_value *texts, size_t count);
/* Their automaton; it is never freed. */
void words_build(words *made, const sentinel_value *texts, size_t count);

static inline size_t words_next(const words *all, size_t state, uint8_t byte) {
  return all->next[state * all->width + all->columns[byte]];
}

#endif
