/* SPDX-License-Identifier: Apache-2.0 */
/* All policies there are, for tests of what holds for each. */
#ifndef MUSTER_TESTS_EVERY_POLICY_H
#define MUSTER_TESTS_EVERY_POLICY_H

#include <stdbool.h>
#include <stddef.h>

/* How far picks reach. */
typedef enum every_policy_reach {
    REACHES_ALL,      /* READY endpoints, by and by */
    REACHES_ALL_KEYS, /* by keys, of which there must be many */
    REACHES_ONE,
    REACHES_SOME /* n_reached, or all when they are fewer */
} every_policy_reach;

typedef struct every_policy {
    const char *name;
    const char *config_json; /* NULL: none */
    every_policy_reach reach;
    unsigned n_reached;
    bool connects_on_demand; /* a pick may wait for the endpoint of its key */
} every_policy;

extern const every_policy every_policies[];
extern const size_t n_every_policies;

/* Registers all of them, once. */
void every_policy_register(void);

#endif
