/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin leaves behind: memory, descriptors, threads. */
#ifndef MUSTER_TOOLS_USAGE_H
#define MUSTER_TOOLS_USAGE_H

#include "trial.h"

/* Does something once that should leave nothing behind. */
typedef void (*usage_fn)(trial *self, void *arg);

/* Repeats fn and fails when each time, once it has warmed up, leaves memory, a
 * descriptor or a thread behind. what names one time: "each life". */
void usage_check(trial *self, const char *what, unsigned n_times, usage_fn fn,
                 void *arg);

#endif
