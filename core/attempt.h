/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's attempt at one address of its endpoint: the transport's part
 * of a connection. Thread: control, but for what the transport reports. */
#ifndef MUSTER_CORE_ATTEMPT_H
#define MUSTER_CORE_ATTEMPT_H

#include <muster/transport.h>

struct muster__connection;

typedef struct muster__attempt muster__attempt;

/* Begins to connect to address, which is one of the connection's endpoint and
 * lives as long as that. What comes of it is told to the connection, always
 * later. *ret_attempt is the caller's. On failure err, never NULL, says why. */
muster_status muster__attempt_create(struct muster__connection *connection,
                                     const char *address,
                                     muster__attempt **ret_attempt,
                                     muster_error *err);

/* What the transport reports from now on, or has reported and is not told yet,
 * is ignored. NULL is ignored. */
void muster__attempt_destroy(muster__attempt *attempt);

/* What the transport's create() made. */
void *muster__attempt_transport(const muster__attempt *attempt);

const char *muster__attempt_address(const muster__attempt *attempt);

/* What the transport last said of health, and why it is NOT_SERVING. */
muster_health muster__attempt_health(const muster__attempt *attempt);
const char *muster__attempt_health_reason(const muster__attempt *attempt);

/* Tells the transport if another service is to be watched than before. */
void muster__attempt_set_health_service(muster__attempt *attempt);

#endif
