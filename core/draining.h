/* SPDX-License-Identifier: Apache-2.0 */
/* The drain deadline of connections that were given up, oldest first. Thread:
 * control, all of it. */
#ifndef MUSTER_CORE_DRAINING_H
#define MUSTER_CORE_DRAINING_H

#include "connection.h"

/* connection was given up with calls on it. Nothing when the channel has no
 * drain deadline. */
void muster__draining_add(muster__connection *connection);

/* Its last call has ended. */
void muster__draining_remove(muster__connection *connection);

/* The drain timer's fn: cancels what still runs on connections whose drain
 * deadline has passed. */
void muster__draining_check_deadlines(void *channel);

#endif
