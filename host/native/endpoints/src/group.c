#include "group.h"

#include "mix.h"

/* A client whose endpoint is away gets others in an order of its own, after that whichever is
 * found. */
#define REHASHES 8

/* xorshift64* (Vigna 2016): enough to spread load. */
static uint32_t random_of(snt_group *group) {
  uint64_t state = group->random;
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  group->random = state;
  return (uint32_t)(state * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}

/* `fraction` of 2^32, as a number below `count`. */
static uint32_t scaled(uint32_t fraction, uint64_t count) { return (uint32_t)(fraction * count >> 32); }

static uint64_t weights_of(const snt_group *group) { return group->members[group->count - 1].end; }

/* The member at a place in the row of all weights. */
static uint32_t member_at(const snt_group *group, uint32_t fraction) {
  if (group->equal) return scaled(fraction, group->count);
  uint64_t place = scaled(fraction, weights_of(group));
  uint32_t low = 0, high = group->count - 1;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (place < group->members[middle].end) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/* --- who may be used -------------------------------------------------------------------------- */

static const snt_row *row_of(const snt_group *group, uint32_t index) {
  return &group->table->row[group->members[index].row];
}

static bool is_well(const snt_group *group, uint32_t index, uint64_t now) {
  const snt_row *row = row_of(group, index);
  return snt_load(&row->flags) == 0 && !snt_is_ejected(row, now);
}

static bool is_excluded(uint32_t index, const uint32_t *excluded, uint32_t tried) {
  for (uint32_t each = 0; each < tried; each++) {
    if (excluded[each] == index) return true;
  }
  return false;
}

/* One that came into service a moment ago takes a share that grows with the time. */
static bool is_warm(snt_group *group, uint32_t index, uint64_t now) {
  uint32_t window = group->settings.slow_start_ms;
  /* A hash that sends a client elsewhere for some of its requests would be none. */
  if (window == 0 || group->settings.policy == SNT_HASH) return true;
  uint64_t since = snt_in_service_since(row_of(group, index), now);
  if (since == 0) return true; /* However short a time ago the clock began. */
  uint64_t time = now > since ? now - since : 0;
  /* A tenth from the beginning on, or it would never be warmed. */
  return time >= window || scaled(random_of(group), window) < time + window / 10;
}

static bool panics(const snt_group *group, uint64_t now) {
  uint32_t there = 0, well = 0, up = 0;
  for (uint32_t index = 0; index < group->count; index++) {
    uint64_t flags = snt_load(&row_of(group, index)->flags);
    if ((flags & SNT_DRAINING) != 0) continue;
    there++;
    up += flags == 0;
    well += is_well(group, index, now);
  }
  return up > 0 && (uint64_t)well * 100 < (uint64_t)there * group->settings.panic_percent;
}

typedef enum { WELL, UP, THERE } standard;

static bool meets(const snt_group *group, uint32_t index, standard least, uint64_t now) {
  uint64_t flags = snt_load(&row_of(group, index)->flags);
  return least == THERE ? (flags & SNT_DRAINING) == 0 : flags == 0 && (least == UP || is_well(group, index, now));
}

/* Collect the members that meet a standard; returns how many. Without any that is warm, the cold
 * ones are. */
static uint32_t collect(snt_group *group, const uint32_t *excluded, uint32_t tried, standard least, uint64_t now) {
  uint32_t usable = 0, cold = 0;
  for (uint32_t index = 0; index < group->count; index++) {
    if (is_excluded(index, excluded, tried) || !meets(group, index, least, now)) continue;
    if (is_warm(group, index, now)) {
      group->usable[usable++] = index;
    } else {
      /* From the other end: both together are no more than all members. */
      group->usable[group->count - ++cold] = index;
    }
  }
  if (usable > 0) return usable;
  for (uint32_t place = 0; place < cold; place++) group->usable[place] = group->usable[group->count - cold + place];
  return cold;
}

bool snt_may_use(const snt_group *group, uint32_t index, uint64_t now) {
  if (is_well(group, index, now)) return true;
  return (snt_load(&row_of(group, index)->flags) & SNT_DRAINING) == 0 && panics(group, now);
}

/* --- policies --------------------------------------------------------------------------------- */

/* Of two, the one with fewer requests for its weight; the first of equals. */
static uint32_t less_busy(const snt_group *group, uint32_t first, uint32_t second) {
  uint64_t busy = snt_active(group->table, group->members[first].row) * group->members[second].weight;
  uint64_t other = snt_active(group->table, group->members[second].row) * group->members[first].weight;
  return other < busy ? second : first;
}

/* The golden ratio's multiples fall evenly whatever they are scaled to (Weyl), which random numbers
 * do not. */
static uint32_t next_in_sequence(snt_group *group) { return member_at(group, group->sequence += UINT32_C(0x9e3779b9)); }

/* Smooth weighted round robin: each gains its weight, and who has most pays what all have gained.
 * Returns a place in `among`, of `count` members, or of all when it is NULL. */
static uint32_t next_turn(snt_group *group, const uint32_t *among, uint32_t count) {
  int64_t total = 0;
  snt_member *best = NULL;
  uint32_t chosen = 0;
  for (uint32_t place = 0; place < count; place++) {
    snt_member *member = &group->members[among == NULL ? place : among[place]];
    member->turn += member->weight;
    total += member->weight;
    if (best == NULL || member->turn > best->turn) {
      best = member;
      chosen = place;
    }
  }
  if (best != NULL) best->turn -= total;
  return chosen;
}

static uint32_t first_choice(snt_group *group, uint64_t hash) {
  switch (group->settings.policy) {
    case SNT_ROUND_ROBIN:
      return group->equal ? group->turn++ % group->count : next_turn(group, NULL, group->count);
    case SNT_RANDOM:
      return member_at(group, random_of(group));
    case SNT_HASH:
      return group->slots[snt_mix(hash) % SNT_MAGLEV_SLOTS];
    default:
      return next_in_sequence(group);
  }
}

/* A member of those collected, by their weights. */
static uint32_t by_weight(snt_group *group, uint32_t usable) {
  uint64_t total = 0;
  for (uint32_t place = 0; place < usable; place++) total += group->members[group->usable[place]].weight;
  uint64_t left = scaled(random_of(group), total);
  for (uint32_t place = 0; place < usable; place++) {
    uint32_t weight = group->members[group->usable[place]].weight;
    if (left < weight) return group->usable[place];
    left -= weight;
  }
  return group->usable[0];
}

/* One of those collected, by the policy. */
static uint32_t choose(snt_group *group, uint64_t hash, uint32_t usable) {
  switch (group->settings.policy) {
    case SNT_ROUND_ROBIN:
      return group->usable[next_turn(group, group->usable, usable)];
    case SNT_RANDOM:
      return by_weight(group, usable);
    case SNT_HASH:
      for (uint32_t time = 1; time <= REHASHES; time++) {
        hash = snt_mix(hash);
        uint32_t index = group->slots[snt_mix(hash) % SNT_MAGLEV_SLOTS];
        for (uint32_t place = 0; place < usable; place++) {
          if (group->usable[place] == index) return index;
        }
      }
      return group->usable[hash % usable];
    default:
      return less_busy(group, by_weight(group, usable), by_weight(group, usable));
  }
}

static bool is_usable(snt_group *group, uint32_t index, const uint32_t *excluded, uint32_t tried, uint64_t now) {
  return is_well(group, index, now) && !is_excluded(index, excluded, tried) && is_warm(group, index, now);
}

uint32_t snt_pick(snt_group *group, uint64_t hash, const uint32_t *excluded, uint32_t tried, uint64_t now) {
  if (group->count == 0) return SNT_NO_MEMBER;
  uint32_t first = first_choice(group, hash);
  if (is_usable(group, first, excluded, tried, now)) {
    if (group->settings.policy != SNT_LEAST_REQUESTS || group->count == 1) return first;
    uint32_t second = member_at(group, random_of(group));
    if (second == first) second = first + 1 == group->count ? 0 : first + 1;
    return is_usable(group, second, excluded, tried, now) ? less_busy(group, first, second) : first;
  }
  uint32_t usable = collect(group, excluded, tried, panics(group, now) ? THERE : WELL, now);
  /* Rather than fail, ask one that is ejected: it may be back, and nobody else is left. */
  if (usable == 0) usable = collect(group, excluded, tried, UP, now);
  return usable == 0 ? SNT_NO_MEMBER : choose(group, hash, usable);
}

/* --- requests --------------------------------------------------------------------------------- */

static snt_cell *cell_of(snt_group *group, uint32_t index) {
  return snt_cell_of(group->table, group->members[index].row, group->cell);
}

void snt_group_begins(snt_group *group, uint32_t index) { snt_begin(cell_of(group, index)); }

/* How many may be ejected at one time. */
static uint32_t most_ejected(const snt_group *group) {
  if (group->count < 2) return 0;
  uint64_t most = (uint64_t)group->count * group->settings.ejected_percent / 100;
  if (most == 0) most = 1;
  return most < group->count ? (uint32_t)most : group->count - 1;
}

static uint32_t ejected(const snt_group *group, uint64_t now) {
  uint32_t count = 0;
  for (uint32_t index = 0; index < group->count; index++) count += snt_is_ejected(row_of(group, index), now);
  return count;
}

uint64_t snt_group_eject(snt_group *group, uint32_t index, uint64_t now) {
  snt_row *row = &group->table->row[group->members[index].row];
  if (ejected(group, now) >= most_ejected(group)) return 0;
  uint64_t time = snt_eject(row, &group->settings.rules, now, random_of(group));
  /* Workers that eject two at the same time see each other's here; if both step back, the next
   * failure decides. */
  if (time > 0 && ejected(group, now) > most_ejected(group)) {
    snt_readmit(row, now);
    return 0;
  }
  return time;
}

uint64_t snt_group_failed(snt_group *group, uint32_t index, uint32_t kind, uint32_t client, bool confirmed,
                          uint64_t now) {
  snt_count_failure(cell_of(group, index));
  snt_row *row = &group->table->row[group->members[index].row];
  return snt_failed(row, kind, client, confirmed, &group->settings.rules) ? snt_group_eject(group, index, now) : 0;
}

void snt_group_begin(snt_group *group) {
  uint64_t end = 0;
  group->equal = true;
  for (uint32_t index = 0; index < group->count; index++) {
    snt_member *member = &group->members[index];
    end += member->weight;
    member->end = end;
    member->turn = 0;
    group->equal = group->equal && member->weight == group->members[0].weight;
  }
  /* Workers begin at different places: together they would rise and fall in step. */
  group->sequence = random_of(group);
}
