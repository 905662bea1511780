/* SPDX-License-Identifier: Apache-2.0 */
/* Knows whether this process is a fork child of the one that started muster. */
#include "fork.h"

#include <pthread.h>
#include <stdatomic.h>

/* Relaxed: a child begins with the one thread that stored it. */
static _Atomic bool is_forked;

static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_installed; /* guarded by fork_lock */

static void on_fork_in_child(void)
{
    atomic_store_explicit(&is_forked, true, memory_order_relaxed);
}

void muster__fork_init(void)
{
    if (muster__is_forked()) {
        return; /* fork_lock may be held by a thread that is not here */
    }
    pthread_mutex_lock(&fork_lock);
    if (!is_installed) {
        /* Out of memory: the next call tries again. */
        is_installed = pthread_atfork(NULL, NULL, on_fork_in_child) == 0;
    }
    pthread_mutex_unlock(&fork_lock);
}

bool muster__is_forked(void)
{
    return atomic_load_explicit(&is_forked, memory_order_relaxed);
}
