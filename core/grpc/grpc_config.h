/* SPDX-License-Identifier: Apache-2.0 */
/* What all connections of one channel have in common: its transport_arg. */
#ifndef MUSTER_CORE_GRPC_CONFIG_H
#define MUSTER_CORE_GRPC_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <muster/grpc.h>

#include "hedging/latency.h"
#include "kept_channel.h"
#include "tls.h"

typedef struct muster__grpc_config muster__grpc_config;

/* Copies options (may be NULL) and target. *ret_config is the caller's
 * reference. Thread: any. MUSTER_INVAL, MUSTER_NOMEM. */
muster_status muster__grpc_config_create(const char *target,
                                         const muster_grpc_options *options,
                                         muster__grpc_config **ret_config,
                                         muster_error *err);

/* Shaped for muster_transport_class. Thread: any. */
void muster__grpc_config_ref(void *config);
void muster__grpc_config_unref(void *config);

/* NULL without TLS options. Borrowed from config. Thread: any. */
muster__tls *muster__grpc_config_tls(const muster__grpc_config *config);

/* The channel's target, for messages. Borrowed from config. */
const char *muster__grpc_config_target(const muster__grpc_config *config);

/* A larger request is not retried. */
uint64_t
muster__grpc_config_retry_buffer_bytes(const muster__grpc_config *config);

/* How long calls of the method take. Borrowed from config; NULL: no memory. */
muster__latency *muster__grpc_config_latency(muster__grpc_config *config,
                                             const char *method);

/* The service whose health is watched, when the core says wanted (or NULL):
 * the options win. NULL: none. Borrowed from config, or wanted itself. */
const char *
muster__grpc_config_health_service(const muster__grpc_config *config,
                                   const char *wanted);

/* True the first time: that servers do not let health be watched is said
 * once. Thread: any. */
bool muster__grpc_config_is_first_unwatched(muster__grpc_config *config);

/* A channel to one address that keeps muster's rules (design section 7): a new
 * one, or the one that was kept for it. *ret_channel is the caller's reference.
 * Thread: any. MUSTER_NOMEM. */
muster_status muster__grpc_config_connect(muster__grpc_config *config,
                                          const char *address,
                                          const char *authority,
                                          uint64_t connect_timeout_ms,
                                          muster__kept_channel **ret_channel);

/* After that C core has ended an attempt to connect that begins now, or began
 * before. Thread: any. */
uint64_t muster__grpc_config_attempt_ms(uint64_t connect_timeout_ms);

/* The channel's connection was READY and is lost: it is kept for the next one
 * when there is keepalive. NULL is ignored. Thread: any. */
void muster__grpc_config_keep(muster__grpc_config *config,
                              muster__kept_channel *channel);

/* The channel's connection is destroyed. NULL is ignored. Thread: control. */
void muster__grpc_config_let_go(muster__grpc_config *config,
                                muster__kept_channel *channel);

/* The same, but of muster__tls_diagnosis_credentials(): it never connects. */
muster_status muster__grpc_config_diagnose(const muster__grpc_config *config,
                                           const char *address,
                                           const char *authority,
                                           grpc_channel **ret_channel);

#endif
