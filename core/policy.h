/* SPDX-License-Identifier: Apache-2.0 */
/* Balancing policies of a channel: instances, their host, their state of each
 * subchannel, their children. Thread: control, unless said otherwise. */
#ifndef MUSTER_CORE_POLICY_H
#define MUSTER_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <muster/balancer.h>

#include "loop.h"
#include "plane.h"
#include "registry.h"

#define MUSTER__STATE_CHUNK 512 /* as the data plane reads it */
#define MUSTER__STATE_CHUNKS 4096

typedef struct muster__policy_timer muster__policy_timer;

/* An instance: the channel's policy, or a child of one. */
typedef struct muster__policy {
    muster_channel *channel;
    const muster_balancer_class *class_;
    struct muster__policy *root; /* whose child it is, or itself */
    muster__plugin *plugin;
    void *self;
    char *config_json;
    muster_balancer_env env;
    muster__published_policy published;
    struct muster__policy *next; /* of the channel's: all that have states */
    char **states; /* MUSTER__STATE_CHUNKS chunks, or NULL: no state */
    muster__policy_timer *timers;
    uint64_t last_timer;
    uint32_t refs;       /* the publisher's, and one a published table */
    bool includes_unfit; /* a root's: unfit endpoints are in its view, too */
} muster__policy;

/* A policy by name; parent is NULL but for a child. config_json is copied.
 * MUSTER_NOTFOUND, MUSTER_INVAL, MUSTER_NOMEM, and what the class's create
 * answers. */
muster_status muster__policy_create(muster_channel *channel,
                                    const muster__policy *parent,
                                    const char *name, const char *config_json,
                                    muster__policy **ret_policy,
                                    muster_error *err);

muster__policy *muster__policy_ref(muster__policy *policy);
void muster__policy_unref(muster__policy *policy); /* NULL is ignored */

/* Room in every instance's states for n subchannels more. MUSTER_NOMEM, and
 * MUSTER_EXHAUSTED when there are no numbers left for them. */
muster_status muster__policy_reserve_states(muster_channel *channel,
                                            uint32_t n);

/* Zeroed states for subchannel number of every instance of the channel;
 * reserve made room. */
void muster__policy_reset_states(muster_channel *channel, uint32_t number);

/* State of the subchannel in that instance; NULL when it keeps none. */
void *muster__policy_state(const muster__policy *policy, uint32_t number);

extern const muster_balancer_host muster__policy_host;

/* The host's child functions; see muster_balancer_host. */
muster_status muster__child_create(void *ctx, const char *name,
                                   const char *config_json,
                                   muster_child **ret_child, muster_error *err);
void muster__child_update(muster_child *child,
                          const muster_balancer_update *update);
void muster__child_want(muster_child *child,
                        const muster_balancer_update *update,
                        uint8_t *ret_wanted);
muster_status muster__child_build(muster_child *child,
                                  const muster_build_args *args,
                                  void **ret_table, muster_error *err);
muster_verdict muster__child_pick(muster_child *child, void *table,
                                  const muster_pick_args *args,
                                  muster_pick_result *result);
void muster__child_done(muster_child *child, uint64_t id,
                        const muster_outcome *outcome);
void muster__child_table_destroy(muster_child *child, void *table);
void muster__child_destroy(muster_child *child);

#endif
