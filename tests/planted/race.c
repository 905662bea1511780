/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads that race on purpose. One writes surely after the other: what two
 * write at the very same moment ThreadSanitizer may miss. Relaxed, so that the
 * later one knows that it is, and yet nothing orders the two. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

static int shared;
static atomic_int written;

static void *race(void *arg)
{
    shared++;
    atomic_store_explicit(&written, 1, memory_order_relaxed);
    return arg;
}

int main(void)
{
    pthread_t other;

    if (pthread_create(&other, NULL, race, NULL) != 0) {
        return 0; /* the tests of this program want a failure */
    }
    while (atomic_load_explicit(&written, memory_order_relaxed) == 0) {
    }
    shared++;
    (void)pthread_join(other, NULL);
    return 0;
}
