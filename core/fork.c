/* SPDX-License-Identifier: Apache-2.0 */
/* Knows whether this process is a fork child of the one that started muster. */
#include "fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

/* Relaxed: a child begins with the one thread that stored it. */
static _Atomic bool is_forked;

static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_installed; /* guarded by fork_lock */

enum { N_PRIVATE = 16 };

/* Held over fork(): the child's copies of the descriptors and of this table
 * belong together. Nobody waits while holding it. */
static pthread_mutex_t private_lock = PTHREAD_MUTEX_INITIALIZER;
static int private_fds[N_PRIVATE]; /* number + 1; 0: none */

static void on_fork(void)
{
    (void)pthread_mutex_lock(&private_lock);
}

static void on_fork_in_parent(void)
{
    (void)pthread_mutex_unlock(&private_lock);
}

static void on_fork_in_child(void)
{
    atomic_store_explicit(&is_forked, true, memory_order_relaxed);
    for (size_t i = 0; i < N_PRIVATE; i++) {
        if (private_fds[i] != 0) {
            (void)close(private_fds[i] - 1);
            private_fds[i] = 0;
        }
    }
    (void)pthread_mutex_unlock(&private_lock);
}

static void put_in_place_of(int old, int new)
{
    for (size_t i = 0; i < N_PRIVATE; i++) {
        if (private_fds[i] == old) {
            private_fds[i] = new;
            return;
        }
    }
}

int muster__fork_private_socket(int domain, int type)
{
    int fd;

    (void)pthread_mutex_lock(&private_lock);
    fd = socket(domain, type, 0);
    if (fd >= 0) {
        put_in_place_of(0, fd + 1);
    }
    (void)pthread_mutex_unlock(&private_lock);
    return fd;
}

int muster__fork_private_accept(int fd, int flags)
{
    int accepted;

    (void)pthread_mutex_lock(&private_lock);
    accepted = accept4(fd, NULL, NULL, flags);
    if (accepted >= 0) {
        put_in_place_of(0, accepted + 1);
    }
    (void)pthread_mutex_unlock(&private_lock);
    return accepted;
}

void muster__fork_private_close(int fd)
{
    (void)pthread_mutex_lock(&private_lock);
    put_in_place_of(fd + 1, 0);
    (void)close(fd);
    (void)pthread_mutex_unlock(&private_lock);
}

void muster__fork_init(void)
{
    if (muster__is_forked()) {
        return; /* fork_lock may be held by a thread that is not here */
    }
    pthread_mutex_lock(&fork_lock);
    if (!is_installed) {
        /* Out of memory: the next call tries again. */
        is_installed =
            pthread_atfork(on_fork, on_fork_in_parent, on_fork_in_child) == 0;
    }
    pthread_mutex_unlock(&fork_lock);
}

bool muster__is_forked(void)
{
    return atomic_load_explicit(&is_forked, memory_order_relaxed);
}
