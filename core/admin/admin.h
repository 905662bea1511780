/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket's life, which is within that of the control thread. */
#ifndef MUSTER_CORE_ADMIN_ADMIN_H
#define MUSTER_CORE_ADMIN_ADMIN_H

#include <muster/admin.h>

/* Reads the environment. Thread: the one that starts the control thread, before
 * it does. */
void muster__admin_prepare(void);

/* Listens when the environment says so. Thread: control, at its beginning. */
void muster__admin_begin(void);

/* Listens no more. Thread: control, also when nobody does. */
void muster__admin_end(void);

#endif
