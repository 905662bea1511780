/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say how a target is connected to, and a channel by them.
 * Knows gRPC, but who includes this need not. */
#ifndef MUSTER_TOOLS_CONNECTING_H
#define MUSTER_TOOLS_CONNECTING_H

#include <argp.h>
#include <muster/channel.h>

#include "../command.h"

typedef struct connecting connecting;

/* NULL when out of memory. */
connecting *connecting_create(void);
void connecting_destroy(connecting *self); /* NULL is ignored */

/* The child of a verb's argp; its input is a connecting. */
extern const struct argp_child connecting_children[];

/* Opens a channel to target; *ret_channel is the caller's. What fails is said
 * on stderr. */
exit_code connecting_open(const connecting *self, const char *target,
                          muster_channel **ret_channel);

#endif
