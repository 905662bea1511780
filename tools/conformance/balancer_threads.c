/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of policies with several threads. */
#include "balancer_threads.h"

#include <pthread.h>

#include "balancer_life.h"

enum { ENDPOINTS = 16, THREADS = 4, PICKS = 10000, VIEWS = 10 };

void balancer_threads_builds(trial *self)
{
    endpoint_list list;
    balancer_life life;

    if (!balancer_life_prepare(self)) {
        return;
    }
    if (endpoint_list_init(&list, ENDPOINTS) &&
        balancer_life_begin(&life, self)) {
        balancer_life_run_beside(true);
        for (size_t i = 0; i < 200; i++) {
            balancer_life_show(&life, list.endpoints, i % ENDPOINTS + 1,
                               MUSTER_READY);
            (void)balancer_life_pick(&life, 10);
        }
        balancer_life_run_beside(false);
        balancer_life_end(&life);
    }
    endpoint_list_fini(&list);
    balancer_life_finish(self);
}

/* ---- picks ---- */

typedef struct caller {
    muster_testkit_balancer *kit;
    uint32_t shard;
    pthread_t thread;
} caller;

static void *call(void *arg)
{
    const caller *self = arg;
    const muster_call_info keyed = {.struct_size = (uint32_t)sizeof keyed,
                                    .hash_key = "some-key"};
    muster_testkit_pick pick;

    for (unsigned i = 0; i < PICKS; i++) {
        muster_testkit_balancer_pick(self->kit, i % 2 == 0 ? NULL : &keyed,
                                     self->shard, &pick);
        if (pick.verdict == MUSTER_PICK_INDEX) {
            muster_testkit_balancer_done(self->kit, pick.id, NULL);
        }
    }
    return NULL;
}

static void call_at_once(trial *self, muster_testkit_balancer *kit)
{
    caller callers[THREADS];
    uint32_t n = 0;

    trial_step(self, "pick() or done() on %d threads at once", THREADS);
    while (n < THREADS) {
        callers[n] = (caller){.kit = kit, .shard = n};
        if (pthread_create(&callers[n].thread, NULL, call, &callers[n]) != 0) {
            trial_skip(self, "no thread could be started");
            break;
        }
        n++;
    }
    while (n > 0) {
        (void)pthread_join(callers[--n].thread, NULL);
    }
}

void balancer_threads_picks(trial *self)
{
    endpoint_list list;
    balancer_life life;

    if (!balancer_life_prepare(self)) {
        return;
    }
    if (endpoint_list_init(&list, ENDPOINTS) &&
        balancer_life_begin(&life, self)) {
        for (size_t i = 0; i < VIEWS; i++) {
            balancer_life_show(&life, list.endpoints, ENDPOINTS - i,
                               MUSTER_READY);
            call_at_once(self, life.kit);
            balancer_life_advance(&life, 1000);
        }
        balancer_life_end(&life);
    }
    endpoint_list_fini(&list);
    balancer_life_finish(self);
}
