/* SPDX-License-Identifier: Apache-2.0 */
/* Random lists of endpoints, and how they change. */
#ifndef MUSTER_TESTS_MODEL_LISTS_H
#define MUSTER_TESTS_MODEL_LISTS_H

#include "world.h"

/* Reports another list, or the same one otherwise. */
void change_list(world *w);

#endif
