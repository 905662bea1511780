/* SPDX-License-Identifier: Apache-2.0 */
/* Asks C core why a channel does not connect. */
#include "grpc_probe.h"

#include <string.h>

#include <grpc/support/time.h>

#include "runtime.h"

void muster__grpc_probe_start(muster__grpc_probe *probe, grpc_channel *channel,
                              int64_t timeout_ms,
                              void (*done)(grpc_completion_queue_functor *self,
                                           int ok))
{
    const gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
    grpc_op ops[2];

    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[1].data.recv_status_on_client.trailing_metadata = &probe->trailing;
    ops[1].data.recv_status_on_client.status = &probe->status;
    ops[1].data.recv_status_on_client.status_details = &probe->details;
    probe->completion.functor_run = done;
    probe->details = grpc_empty_slice();
    grpc_metadata_array_init(&probe->trailing);
    probe->call = grpc_channel_create_call(
        channel, NULL, GRPC_PROPAGATE_DEFAULTS, muster__grpc_watch_queue(),
        grpc_slice_from_static_string("/muster.reserved/Probe"), NULL, deadline,
        NULL);
    (void)grpc_call_start_batch(probe->call, ops, 2, &probe->completion, NULL);
}

char *muster__grpc_probe_finish(muster__grpc_probe *probe)
{
    char *reason = grpc_slice_to_c_string(probe->details);

    grpc_slice_unref(probe->details);
    grpc_metadata_array_destroy(&probe->trailing);
    grpc_call_unref(probe->call);
    return reason;
}
