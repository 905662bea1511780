/* SPDX-License-Identifier: Apache-2.0 */
/* Small policies that prove that balancer.h can carry their kind. They do what
 * is typical of it and no more: not for production. */
#ifndef MUSTER_TESTS_SKELETONS_H
#define MUSTER_TESTS_SKELETONS_H

#include <muster/balancer.h>

/* Connects one endpoint at a time and stays with it. */
extern const muster_balancer_class skeleton_pick_first;

/* Consistent hashing of hash_key; connects on demand (gRFC A42). */
extern const muster_balancer_class skeleton_ring_hash;

/* Ejects endpoints that fail, over the child "round_robin" (gRFC A50). */
extern const muster_balancer_class skeleton_outlier_detection;

/* Two children "round_robin", the second for when the first fails (gRFC A56).
 */
extern const muster_balancer_class skeleton_priority;

/* Weights from the load reports of the calls (gRFC A58). */
extern const muster_balancer_class skeleton_load_report;

/* Counts calls, over the child of its configuration:
 *
 *     {"label": "a", "step": 10, "childPolicy": [{"round_robin": {}}]}
 *
 * "step" is what each call adds to the state of its endpoint. */
extern const muster_balancer_class skeleton_counting;

/* What the instance of that label has counted of an endpoint of its list;
 * UINT64_MAX: there is none. Thread: any, while the channel is open. */
uint64_t skeleton_counted(const char *label, const char *address);

#endif
