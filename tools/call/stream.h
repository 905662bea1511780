/* SPDX-License-Identifier: Apache-2.0 */
/* A call that is a stream: its messages are shown as they come. */
#ifndef MUSTER_TOOLS_CALL_STREAM_H
#define MUSTER_TOOLS_CALL_STREAM_H

#include <muster/grpc.h>

#include "../output.h"
#include "message_list.h"

/* Sends the messages, of which there is at least one, and shows those that come
 * and, in JSON, the end. The call has ended when it returns; its exit code is
 * that of showing. */
exit_code stream_run(muster_call *call, const message_list *messages,
                     const char *target, output *out);

#endif
