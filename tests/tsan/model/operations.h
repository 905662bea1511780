/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to channels at random, and what must hold meanwhile. */
#ifndef MUSTER_TESTS_MODEL_OPERATIONS_H
#define MUSTER_TESTS_MODEL_OPERATIONS_H

#include "world.h"

/* If something serves, it does so until the promise is broken. */
void promise(world *w);
void break_promise(world *w);

/* One operation. */
void operate(world *w);

#endif
