/* SPDX-License-Identifier: Apache-2.0 */
/* Threads log from one place while another changes where it goes: a function
 * always gets its own arg. */
#include "log_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { LOGGERS = 3, LINES = 20000 };

static _Atomic int n_bad;
static char first_arg;
static char second_arg;

static void take_first(void *arg, muster_log_level level, const char *message)
{
    (void)level;
    (void)message;
    if (arg != &first_arg) {
        atomic_fetch_add(&n_bad, 1);
    }
}

static void take_second(void *arg, muster_log_level level, const char *message)
{
    (void)level;
    (void)message;
    if (arg != &second_arg) {
        atomic_fetch_add(&n_bad, 1);
    }
}

static void *log_lines(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        muster__log_place own = {0, 0, 0};

        muster__log(MUSTER_LOG_ERROR, "line %d", i);
        if (muster__log_enabled(MUSTER_LOG_ERROR)) {
            muster__log_write(&own, MUSTER_LOG_ERROR, "line %d", i);
        }
    }
    return arg;
}

int main(void)
{
    pthread_t threads[LOGGERS];

    for (int i = 0; i < LOGGERS; i++) {
        if (pthread_create(&threads[i], NULL, log_lines, NULL) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < LINES; i++) {
        muster_log_set(take_first, &first_arg, MUSTER_LOG_DEBUG);
        muster_log_set(take_second, &second_arg, MUSTER_LOG_ERROR);
        muster_log_set(NULL, NULL, MUSTER_LOG_ERROR);
    }
    for (int i = 0; i < LOGGERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    if (atomic_load(&n_bad) > 0) {
        (void)fprintf(stderr, "%d lines with a foreign arg\n",
                      atomic_load(&n_bad));
        return 1;
    }
    return 0;
}
