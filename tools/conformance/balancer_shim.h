/* SPDX-License-Identifier: Apache-2.0 */
/* A class in front of the one that is checked. */
#ifndef MUSTER_TOOLS_BALANCER_SHIM_H
#define MUSTER_TOOLS_BALANCER_SHIM_H

#include "trial.h"

/* The class for the kit: names each call before it hands it on, and runs
 * build() on a thread of its own. One trial a process. */
const muster_balancer_class *balancer_shim(trial *self);

/* Whether update() is called beside each build() from now on. */
void balancer_shim_run_beside(bool is_beside);

#endif
