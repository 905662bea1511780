/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of policies with several threads. */
#ifndef MUSTER_TOOLS_BALANCER_THREADS_H
#define MUSTER_TOOLS_BALANCER_THREADS_H

#include "trial.h"

/* build() on a worker, update() on the control thread at the same time. */
void balancer_threads_builds(trial *self);

/* pick() and done() on many threads, between changes of the list. */
void balancer_threads_picks(trial *self);

#endif
