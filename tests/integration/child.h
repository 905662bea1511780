/* SPDX-License-Identifier: Apache-2.0 */
/* What a fork child does: calls every public function of both libraries. */
#ifndef MUSTER_TESTS_CHILD_H
#define MUSTER_TESTS_CHILD_H

#include <muster/grpc.h>
#include <muster/muster.h>
#include <muster/plugin.h>

/* What the parent made before it forked. */
typedef struct child_world {
    muster_channel *channel;
    muster_lease lease;
    muster_call *call; /* not started */
    muster_call_queue *queue;
    muster_watch *watch;
    muster_state_watcher *state_watcher;
} child_world;

/* How many functions did not answer as they should; names them on stderr. */
int child_call_all(child_world *world);

/* Public functions named in a version script that child_call_all() leaves
 * out; names them on stderr. */
int child_count_missing(const char *map_path);

#endif
