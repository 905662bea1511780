/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's options, where a program leaves them to its service config. */
#ifndef MUSTER_CORE_GRPC_SETTINGS_H
#define MUSTER_CORE_GRPC_SETTINGS_H

#include <muster/grpc.h>
#include <muster/service_config.h>

/* *options becomes what given (may be NULL) says, and for what that leaves open
 * what the config (may be NULL) does. *ret_settings has its strings, and is to
 * be given to fini when this answers MUSTER_OK. Thread: any. MUSTER_INVAL,
 * MUSTER_NOMEM. */
muster_status muster__grpc_settings_merge(const muster_grpc_options *given,
                                          const char *service_config,
                                          muster_grpc_options *options,
                                          muster_settings *ret_settings,
                                          muster_error *err);
void muster__grpc_settings_fini(muster_settings *settings);

#endif
