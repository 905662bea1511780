/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the loop share. */
#ifndef MUSTER_TESTS_LOOP_FIXTURE_H
#define MUSTER_TESTS_LOOP_FIXTURE_H

#include "loop.h"

#include <criterion/criterion.h>
#include <muster/call.h>
#include <semaphore.h>

static inline void loop_open(void)
{
    cr_assert_eq(muster__loop_acquire(NULL), MUSTER_OK);
}

static inline void loop_close(void)
{
    muster__loop_release();
    cr_assert_eq(muster__loop_stop(NULL), MUSTER_OK);
}

static inline void on_control(void (*fn)(void *arg), void *arg)
{
    cr_assert_eq(muster__loop_call(fn, arg, MUSTER_FOREVER), MUSTER_OK);
}

static inline void wait_for(sem_t *event)
{
    while (sem_wait(event) != 0) {
    }
}

/* Whatever the control thread had to do when this is called is done. */
static inline void do_nothing(void *arg)
{
    (void)arg;
}

#endif
