/* SPDX-License-Identifier: Apache-2.0 */
/* A thread for the calls of one resolver instance that may block. */
#ifndef MUSTER_CORE_RESOLVER_THREAD_H
#define MUSTER_CORE_RESOLVER_THREAD_H

#include "resolver_instance.h"

/* Starts it, detached, all signals blocked. It holds a reference on instance
 * and ends when nothing is left to call. Thread: control. MUSTER_UNAVAILABLE.
 */
muster_status muster__resolver_thread_start(muster__resolver_instance *instance,
                                            muster_error *err);

#endif
