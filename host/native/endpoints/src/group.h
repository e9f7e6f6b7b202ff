/* The endpoints of one upstream as one worker sees them, and which of them gets the next request.
 *
 * Rule 1: a pick takes no lock and reads shared memory only: of two candidates, or of all when the
 *         first may not be used.
 * Rule 2: an endpoint may be used unless it is draining, down, ejected, or excluded by the caller,
 *         who has tried it.
 * Rule 3: when fewer than `panic_percent` of those that are not draining are well, all of these may
 *         be used: what is left would break under everybody's requests, and checks may be wrong.
 *         But none that is down when all are: then there is nothing to use.
 * Rule 4: when no other endpoint is left for a request, an ejected one is used rather than none.
 */
#ifndef SNT_GROUP_H
#define SNT_GROUP_H

#include "maglev.h"
#include "table.h"

#define SNT_MEMBERS_MAX 65535u
#define SNT_WEIGHT_MAX 65535u
#define SNT_NO_MEMBER UINT32_MAX

typedef enum { SNT_LEAST_REQUESTS, SNT_ROUND_ROBIN, SNT_RANDOM, SNT_HASH, SNT_POLICIES } snt_policy;

typedef struct {
  snt_policy policy;
  uint32_t panic_percent;
  uint32_t slow_start_ms;
  uint32_t ejected_percent; /* of the members, that may be ejected at one time: at least one, never all */
  snt_ejection_rules rules;
} snt_group_settings;

typedef struct {
  uint32_t row, weight;
  uint64_t end; /* of its share of all weights, laid end to end */
  int64_t turn; /* of weighted round robin */
} snt_member;

typedef struct {
  snt_endpoints *table;
  uint32_t cell, count;
  bool equal; /* all weights are the same */
  snt_group_settings settings;
  uint64_t random;
  uint32_t sequence, turn;
  uint16_t *slots; /* SNT_MAGLEV_SLOTS of them; NULL but for SNT_HASH */
  uint32_t *usable; /* room for `count` */
  snt_member *members;
} snt_group;

/* Begin: the members have rows and weights, the policy's arrays are there, and `random` is any
 * number but 0. */
void snt_group_begin(snt_group *group);

/* The member for a request: its index; SNT_NO_MEMBER when there is none. `excluded` are the indices
 * of members that have been tried, `tried` of them. `hash` is read by SNT_HASH. */
uint32_t snt_pick(snt_group *group, uint64_t hash, const uint32_t *excluded, uint32_t tried, uint64_t now);

/* Whether one given member may be used, as for a sticky client. */
bool snt_may_use(const snt_group *group, uint32_t index, uint64_t now);

/* A request begins on a member; it ends on its cell. */
void snt_group_begins(snt_group *group, uint32_t index);

/* As snt_failed; ejects, unless that were too many. Returns for how many milliseconds it did. */
uint64_t snt_group_failed(snt_group *group, uint32_t index, uint32_t kind, uint32_t client, bool confirmed, uint64_t now);

/* Eject a member for another reason, unless that were too many. Returns for how many
 * milliseconds. */
uint64_t snt_group_eject(snt_group *group, uint32_t index, uint64_t now);

#endif
