/* SPDX-License-Identifier: Apache-2.0 */
/* Which balancing policy a service config chooses. */
#ifndef MUSTER_CORE_CONFIG_BALANCER_CHOICE_H
#define MUSTER_CORE_CONFIG_BALANCER_CHOICE_H

#include <jansson.h>

#include "problems.h"

/* Asks whether there is a policy called name, and whether it takes config_json,
 * an object. MUSTER_OK; MUSTER_NOTFOUND: there is none; MUSTER_INVAL: it is
 * there and refuses; anything else: it cannot be asked now. err (never NULL)
 * says why. */
typedef muster_status (*muster__policy_check_fn)(void *arg, const char *name,
                                                 const char *config_json,
                                                 muster_error *err);

/* All NULL: the config says nothing of it. */
typedef struct muster__balancer_choice {
    char *name;
    char *config_json;
} muster__balancer_choice;

/* Reads loadBalancingConfig and, when that is absent, loadBalancingPolicy of
 * the config, an object. Problems are added. In any case *choice is to be given
 * to fini. Thread: any one that may call check. */
void muster__balancer_choice_read(muster__problems *problems,
                                  const json_t *config,
                                  muster__policy_check_fn check, void *arg,
                                  muster__balancer_choice *choice);
void muster__balancer_choice_fini(muster__balancer_choice *choice);

#endif
