/* SPDX-License-Identifier: Apache-2.0 */
/* The channel arguments of an application: its own, and those that its options
 * stand for. Thread: any one, and concurrently once they are made. */
#ifndef MUSTER_CORE_GRPC_ARGS_H
#define MUSTER_CORE_GRPC_ARGS_H

#include <stddef.h>

#include <muster/grpc.h>

/* All zero: none. */
typedef struct muster__grpc_args {
    grpc_arg *items;
    size_t n;
} muster__grpc_args;

/* Copies what options has: a key once, but those that muster's rules rest on
 * never. In any case *args is to be given to fini. MUSTER_INVAL, and err says
 * why; MUSTER_NOMEM. */
muster_status muster__grpc_args_copy(muster__grpc_args *args,
                                     const muster_grpc_options *options,
                                     muster_error *err);
void muster__grpc_args_fini(muster__grpc_args *args);

/* NULL when there is none. Borrowed from args. */
const grpc_arg *muster__grpc_args_find(const muster__grpc_args *args,
                                       const char *key);

#endif
