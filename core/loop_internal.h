/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the loop share. Nobody else includes it. */
#ifndef MUSTER_CORE_LOOP_INTERNAL_H
#define MUSTER_CORE_LOOP_INTERNAL_H

#include <stddef.h>

#include <uv.h>

/* Thread: control. */
uv_loop_t *muster__loop_uv(void);

/* Calls of muster__loop_work() whose done() has not run. Thread: control. */
size_t muster__loop_n_works(void);

/* Ends the threads that work. None is working, and the control thread has
 * ended. */
void muster__loop_end_works(void);

#endif
