/* Maglev's consistent hashing (Eisenbud et al., NSDI 2016, section 3.4): a table of slots, nearly
 * equally shared by weight, that changes little when an endpoint comes or goes. */
#ifndef SNT_MAGLEV_H
#define SNT_MAGLEV_H

#include <stdint.h>

/* A prime; a hundred times as many as 650 endpoints. As in the paper, and in Envoy. */
#define SNT_MAGLEV_SLOTS 65537u

/* Fill `slots`, SNT_MAGLEV_SLOTS of them, with indices of endpoints. `keys` identify these wherever
 * they stand in the list; `weights` are 1 or more. `scratch` has room for 3 * count numbers. At
 * least one endpoint, at most 65535. */
void snt_maglev(uint16_t *slots, const uint64_t *keys, const uint32_t *weights, uint32_t count, uint32_t *scratch);

#endif
