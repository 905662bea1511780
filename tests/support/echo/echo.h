/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of echo.Echo:
 *
 *   Unary      answers "ID:request", with x-server-id in its initial metadata
 *   Stream     sends each message back as it is; faults.h has more
 *   Authority  answers the call's :authority
 *   UserAgent  answers the call's user-agent
 *   Peer       answers "ADDRESS NAME": the client's address, and under TLS the
 *              common name in its certificate, if any */
#ifndef MUSTER_TESTS_ECHO_ECHO_H
#define MUSTER_TESTS_ECHO_ECHO_H

#include <grpc/grpc.h>

/* Before the server starts, and after. */
void echo_register(grpc_server *server);
void echo_ask(grpc_server *server, grpc_completion_queue *queue);

/* Answers those whose delay is over. */
void echo_resume(void);

#endif
