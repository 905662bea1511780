/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's service config (gRFC A2, A21): read and checked as a whole, then
 * immutable and counted. Thread: any, unless said otherwise. */
#ifndef MUSTER_CORE_CONFIG_SERVICE_CONFIG_H
#define MUSTER_CORE_CONFIG_SERVICE_CONFIG_H

#include <stddef.h>

#include "balancer_choice.h"
#include "method_config.h"
#include "problems.h"
#include "settings.h"

typedef struct muster__service_config muster__service_config;

/* Reads text, of length bytes. check (called with arg, once for each policy
 * that text names, up to the first that is known) may restrict the thread.
 * False: problems say what is wrong. *ret_config is the caller's. */
bool muster__service_config_parse(const char *text, size_t length,
                                  muster__policy_check_fn check, void *arg,
                                  muster__problems *problems,
                                  muster__service_config **ret_config);

/* Both take NULL. */
muster__service_config *
muster__service_config_ref(muster__service_config *config);
void muster__service_config_unref(muster__service_config *config);

/* All that is answered is borrowed from the config. */

/* name is NULL when it says nothing of balancing. */
const muster__balancer_choice *
muster__service_config_balancer(const muster__service_config *config);

/* n is 0 when it says nothing of methods. */
const muster__methods *
muster__service_config_methods(const muster__service_config *config);

/* NULL: retries are not throttled. */
const muster__retry_throttling *
muster__service_config_throttling(const muster__service_config *config);

/* healthCheckConfig.serviceName; NULL: health is not checked. */
const char *
muster__service_config_health_service(const muster__service_config *config);

/* What it says under "muster"; all zero: nothing. */
const muster_settings *
muster__service_config_settings(const muster__service_config *config);

/* Of text, of length bytes, only that. *settings is as for
 * muster__settings_read(). */
void muster__service_config_read_settings(muster__problems *problems,
                                          const char *text, size_t length,
                                          muster_settings *settings);

#endif
