/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer that is no list means. */
#ifndef MUSTER_RESOLVERS_CONSUL_FAILURE_H
#define MUSTER_RESOLVERS_CONSUL_FAILURE_H

#include <muster/status.h>

#include "request.h"

/* Says in err, for people, what the reply to request says; the agent's name in
 * front. The same failure is the same text. Answers its code. */
muster_status muster__consul_failure(const muster__consul_request *request,
                                     muster_error *err);

#endif
