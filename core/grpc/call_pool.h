/* SPDX-License-Identifier: Apache-2.0 */
/* Queues for blocking calls: one a caller, given back and used again. */
#ifndef MUSTER_CORE_GRPC_CALL_POOL_H
#define MUSTER_CORE_GRPC_CALL_POOL_H

#include <muster/grpc.h>

/* Thread: any. MUSTER_NOMEM. */
muster_status muster__call_pool_take(muster_call_queue **ret_queue);
void muster__call_pool_give(muster_call_queue *queue);

#endif
