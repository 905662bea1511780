/* SPDX-License-Identifier: Apache-2.0 */
/* Threads report the load of one endpoint while tables are built from it and it
 * is forgotten now and then: a weight that counts is always one that was
 * reported. */
#include "../../balancers/weighted_round_robin/load_weight.h"

#include <pthread.h>
#include <stdio.h>

enum { REPORTERS = 3, REPORTS = 50000 };

static muster__load_weight shared;
static atomic_int n_running;

static void *report(void *arg)
{
    for (int i = 0; i < REPORTS; i++) {
        (void)muster__load_weight_learn(&shared, 1 + i % 2, (uint64_t)i);
    }
    atomic_fetch_sub(&n_running, 1);
    return arg;
}

/* How many weights were none that was reported. */
static int build_often(void)
{
    const muster__load_ages ages = {.blackout_ns = 0, .expiration_ns = 1000};
    int n_bad = 0;

    for (uint64_t i = 0; atomic_load(&n_running) > 0; i++) {
        uint64_t next_ns = UINT64_MAX;
        double weight =
            muster__load_weight_get(&shared, &ages, i % REPORTS, &next_ns);

        n_bad += weight < 0 || (weight > 0 && weight < 1) || weight > 2;
        if (i % 64 == 0) {
            muster__load_weight_forget(&shared);
        }
    }
    return n_bad;
}

int main(void)
{
    pthread_t threads[REPORTERS];
    int n_bad;

    atomic_store(&n_running, REPORTERS);
    for (int i = 0; i < REPORTERS; i++) {
        if (pthread_create(&threads[i], NULL, report, NULL) != 0) {
            return 1;
        }
    }
    n_bad = build_often();
    for (int i = 0; i < REPORTERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    if (n_bad > 0) {
        (void)fprintf(stderr, "%d weights that nobody reported\n", n_bad);
        return 1;
    }
    return 0;
}
