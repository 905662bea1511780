/* SPDX-License-Identifier: Apache-2.0 */
/* A policy "slow": round robin whose tables take a moment to build, so that
 * others can be caught by whatever happens meanwhile. */
#ifndef MUSTER_TESTS_SLOW_POLICY_H
#define MUSTER_TESTS_SLOW_POLICY_H

#include <stdbool.h>

/* Registers the plugin, once. */
void slow_policy_register(void);

/* Whether a table is being built now, of any channel. Thread: any. */
bool slow_policy_is_building(void);

#endif
