/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads that race on purpose. */
#include <pthread.h>
#include <stddef.h>

enum { ROUNDS = 1000 };

static int shared;

static void *race(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        shared++;
    }
    return arg;
}

int main(void)
{
    pthread_t other;

    if (pthread_create(&other, NULL, race, NULL) != 0) {
        return 0; /* the tests of this program want a failure */
    }
    (void)race(NULL);
    (void)pthread_join(other, NULL);
    return 0;
}
