/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold once nothing happens any more. */
#ifndef MUSTER_TESTS_MODEL_REST_H
#define MUSTER_TESTS_MODEL_REST_H

#include "world.h"

/* Stops the pickers, heals what hangs or fails, and waits until all of it
 * holds; lets them go on. */
void rest(world *w);

#endif
