#include "words.h"

/* Keeps the table under 512 KiB. */
#define LONGEST 1024

const char *words_problem(const sentinel_value *texts, size_t count) {
  size_t size = 0;
  for (size_t i = 0; i < count; i++) {
    if (texts[i].text.size == 0) return "words: a word is empty";
    size += texts[i].text.size;
  }
  return size > LONGEST ? "words: at most 1,024 bytes together" : NULL;
}

static void *zeros(size_t size) {
  return memset(sentinel_allocate(size), 0, size);
}

/* Makes an automaton of the tree: where a state has no child, it goes where its longest proper
 * suffix goes. */
static void close_tree(words *made, const uint16_t *depth, size_t states) {
  uint16_t *suffix = zeros(states * sizeof *suffix), *queue = zeros(states * sizeof *queue);
  size_t ends = 1;
  for (size_t at = 0; at < ends; at++) {
    size_t state = queue[at];
    bool is_leaf = true;
    for (size_t column = 0; column < made->width; column++) {
      uint16_t *slot = &made->next[state * made->width + column];
      uint16_t by_suffix = state == 0 ? 0 : made->next[suffix[state] * made->width + column];
      size_t child = *slot;
      if (child == 0) {
        *slot = by_suffix;
        continue;
      }
      is_leaf = false;
      suffix[child] = by_suffix;
      if (made->found[by_suffix] > made->found[child]) made->found[child] = made->found[by_suffix];
      queue[ends++] = (uint16_t)child;
    }
    uint16_t open = is_leaf ? made->open[suffix[state]] : depth[state];
    /* A word that ends here and covers all of it leaves nothing open. */
    made->open[state] = made->found[state] >= open ? 0 : open;
  }
}

void words_build(words *made, const sentinel_value *texts, size_t count) {
  size_t most = 1, states = 1;
  *made = (words){.width = 1};
  for (size_t i = 0; i < count; i++) {
    most += texts[i].text.size;
    for (size_t j = 0; j < texts[i].text.size; j++) {
      uint8_t *column = &made->columns[(uint8_t)texts[i].text.data[j]];
      /* Text has fewer than 255 different bytes: UTF-8 leaves 13 out. */
      if (*column == 0) *column = (uint8_t)made->width++;
    }
  }
  made->next = zeros(most * made->width * sizeof *made->next);
  made->found = zeros(most * sizeof *made->found);
  made->open = zeros(most * sizeof *made->open);
  uint16_t *depth = zeros(most * sizeof *depth);
  for (size_t i = 0; i < count; i++) {
    size_t state = 0;
    for (size_t j = 0; j < texts[i].text.size; j++) {
      uint16_t *slot = &made->next[state * made->width + made->columns[(uint8_t)texts[i].text.data[j]]];
      if (*slot == 0) {
        *slot = (uint16_t)states;
        depth[states++] = (uint16_t)(depth[state] + 1);
      }
      state = *slot;
    }
    made->found[state] = (uint16_t)texts[i].text.size;
  }
  close_tree(made, depth, states);
}
