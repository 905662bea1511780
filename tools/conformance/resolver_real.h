/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of resolvers without the test kit. */
#ifndef MUSTER_TOOLS_RESOLVER_REAL_H
#define MUSTER_TOOLS_RESOLVER_REAL_H

#include "trial.h"

/* authority() may be asked on any thread, without an instance. */
void resolver_real_authority(trial *self);

/* muster itself watches the target, several times. */
void resolver_real_host(trial *self);

#endif
