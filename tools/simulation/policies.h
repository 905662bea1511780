/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that a simulation compares: by name, with a configuration. */
#ifndef MUSTER_TOOLS_POLICIES_H
#define MUSTER_TOOLS_POLICIES_H

#include <stddef.h>

#include <jansson.h>
#include <muster/balancer.h>

/* All there are, for those that make children of others. */
typedef struct policies {
    const muster_balancer_class **classes;
    size_t n;
} policies;

typedef struct policy_choice {
    const muster_balancer_class *class_;
    char *label;       /* as it was written: "p2c_ewma" or with its settings */
    char *config_json; /* "{}" */
} policy_choice;

/* The built-in ones. MUSTER_NOMEM. */
muster_status policies_open(policies *self, muster_error *err);
void policies_release(policies *self);

/* From "round_robin" or {"round_robin": {"strict": true}}. *ret_choice is to be
 * released when this is MUSTER_OK. MUSTER_NOTFOUND, MUSTER_INVAL, ... */
muster_status policy_choice_read(const json_t *value, policy_choice *ret_choice,
                                 muster_error *err);
void policy_choice_release(policy_choice *self);

#endif
