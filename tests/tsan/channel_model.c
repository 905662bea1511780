/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations on channels over the fake transport, and a model of what
 * must hold whatever happens. A plain program, for all lanes.
 *   channel_model [SECONDS [SEED]] */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/operations.h"
#include "model/pickers.h"
#include "model/rest.h"
#include "script_resolver.h"
#include "timing.h"

static void open_world(world *w)
{
    muster_channel_options options = {.struct_size = sizeof options};
    static const char *const policies[] = {NULL, NULL, "round_robin",
                                           "weighted_round_robin"};
    muster_error err = {.code = MUSTER_OK};

    MUST(muster_testkit_transport_create(&w->transport) == MUSTER_OK, "kit");
    w->has_priorities = below(&w->random, 2) == 0;
    w->has_weights = below(&w->random, 2) == 0;
    options.transport = muster_testkit_transport_class();
    options.transport_arg = w->transport;
    options.initial_backoff_ms = 1;
    options.max_backoff_ms = 4;
    options.replace_timeout_ms = PATIENCE_S * 1000;
    options.failover_timeout_ms = 1 + below(&w->random, 20);
    options.max_connecting = 1 + below(&w->random, 8);
    options.max_parked = below(&w->random, 2) == 0 ? 2 : 0;
    options.connections_per_endpoint = 1 + below(&w->random, CONNECTIONS);
    options.connection_choice = (muster_connection_choice)below(&w->random, 2);
    for (int i = 0; i < CHANNELS; i++) {
        options.policy = policies[below(&w->random, 4)];
        MUST(muster_channel_create("script:///" TARGET, &options,
                                   &w->channels[i], &err) == MUSTER_OK,
             err.message);
        watched[i] = w->channels[i];
    }
}

static void close_channels(world *w)
{
    break_promise(w);
    atomic_store(&w->closes_inside, below(&w->random, 2) == 0);
    for (unsigned k = below(&w->random, 8); k > 0; k--) {
        operate(w);
        break_promise(w);
    }
    for (int i = 0; i < CHANNELS; i++) {
        uint64_t begin_ns = now_ns();
        MUST(muster_channel_close(w->channels[i]) == MUSTER_OK, "close");
        atomic_store(&w->is_closed[i], true);
        MUST(now_ns() - begin_ns < UINT64_C(5000000000), "close takes long");
        MUST(muster_channel_state(w->channels[i]) == MUSTER_SHUTDOWN, "state");
    }
}

static void close_world(world *w)
{
    for (int i = 0; i < CHANNELS; i++) {
        muster_channel_destroy(w->channels[i]);
    }
    EVENTUALLY(muster_shutdown() != MUSTER_BUSY, "a channel that stays");
    MUST(atomic_load(&w->n_answered) == atomic_load(&w->n_asked),
         "asynchronous picks without an answer");
    MUST(*muster_testkit_transport_violations(w->transport) == '\0',
         muster_testkit_transport_violations(w->transport));
    muster_testkit_transport_destroy(w->transport);
}

static uint64_t run_world(uint64_t world_seed, bool is_closed_busy)
{
    pthread_t pickers[PICKERS];
    world *w = calloc(1, sizeof *w);

    MUST(w != NULL, "memory");
    seed = world_seed;
    w->random = world_seed;
    open_world(w);
    for (int i = 0; i < PICKERS; i++) {
        (void)pthread_create(&pickers[i], NULL, picker_main, w);
    }
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < OPERATIONS; i++) {
            operate(w);
        }
        if (!is_closed_busy || k < 2) {
            rest(w);
        }
    }
    close_channels(w);
    atomic_store(&w->is_stopping, true);
    for (int i = 0; i < PICKERS; i++) {
        (void)pthread_join(pickers[i], NULL);
    }
    close_world(w);
    uint64_t n_picked = atomic_load(&w->n_picked);
    free(w);
    return n_picked;
}

/* Bytes in use come back (rule 17): compared with those after a few worlds, in
 * which what is made once a process was made. Sanitizers answer 0. */
static void check_memory(unsigned n_worlds)
{
    enum { WARM_UP = 4, SLACK = 16 << 10 };
    static size_t before;
    size_t now = mallinfo2().uordblks;

    if (n_worlds == WARM_UP) {
        before = now;
    }
    MUST(n_worlds <= WARM_UP || now <= before + SLACK, "memory is lost");
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 4;
    uint64_t first =
        argc > 2 ? strtoull(argv[2], NULL, 10) : now_ns() % 1000000;
    uint64_t end_ns = now_ns() + seconds * UINT64_C(1000000000);
    uint64_t n_picked = 0;
    unsigned n_worlds = 0;

    write_addresses();
    muster__timing_scale_waits_for_test(100); /* between attempts: 1 to 20 ms */
    (void)printf("channel_model: seeds from %llu\n", (unsigned long long)first);
    (void)fflush(stdout);
    script_register();
    do {
        n_picked += run_world(first + n_worlds, n_worlds % 2 == 0);
        check_memory(++n_worlds);
    } while (now_ns() < end_ns);
    (void)printf("channel_model: %u worlds, %llu picks\n", n_worlds,
                 (unsigned long long)n_picked);
    return 0;
}
