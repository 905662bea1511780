/* SPDX-License-Identifier: Apache-2.0 */
/* One life of a policy on the test kit, each call of it named; build() runs on
 * a worker, as in a channel. */
#ifndef MUSTER_TOOLS_BALANCER_LIFE_H
#define MUSTER_TOOLS_BALANCER_LIFE_H

#include <muster/testkit.h>

#include "trial.h"

typedef struct balancer_life {
    trial *trial;
    muster_testkit_balancer *kit; /* NULL: it was not made */
} balancer_life;

/* Endpoints 10.0.0.0:1, 10.0.0.1:1 and so on, with weights. */
typedef struct endpoint_list {
    muster_endpoint *endpoints;
    char (*addresses)[24];
    size_t n;
} endpoint_list;

bool endpoint_list_init(endpoint_list *self, size_t n);
void endpoint_list_fini(endpoint_list *self);

/* Calls the plugin's init(); once a process, before the rest. False, and said,
 * when it fails. */
bool balancer_life_prepare(trial *self);

/* Calls fini(), if prepare succeeded. */
void balancer_life_finish(trial *self);

/* Calls create() with the settings that were given; "{}" without. False, and
 * said, when it fails: a skip without settings, for then it may be right. */
bool balancer_life_begin(balancer_life *self, trial *run);

/* create() with config. Answers what it does. */
muster_status balancer_life_try(balancer_life *self, trial *run,
                                const char *config, muster_error *err);

/* Whether update() runs beside build() from now on, as it may in a channel. */
void balancer_life_run_beside(bool is_beside);

/* The list is n endpoints, which begin in state. Shows it to the policy, and
 * says when build() fails. */
void balancer_life_show(balancer_life *self, const muster_endpoint *endpoints,
                        size_t n, muster_connectivity state);

/* Shows the list as it is. */
void balancer_life_publish(balancer_life *self);

/* Picks n times, with and without hash keys, from several shards, and ends the
 * calls, well and badly. Answers how many endpoints were picked in all. */
size_t balancer_life_pick(balancer_life *self, size_t n);

/* Lets delay_ms of virtual time pass. */
void balancer_life_advance(balancer_life *self, uint64_t delay_ms);

/* Destroys it, and says what rules were broken. */
void balancer_life_end(balancer_life *self);

#endif
