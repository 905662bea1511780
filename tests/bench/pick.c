/* SPDX-License-Identifier: Apache-2.0 */
/* How long a pick with its finish takes: pick [--json] [--quick]
 *
 * Wall time by picks of one thread, best of many short rounds, threads pinned;
 * beside it a mutex and liburcu in the same run. The unit to compare machines
 * by is an atomic add and subtract that nobody else touches. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "figure.h"
#include "picker.h"
#include "pin.h"

enum { MAX_THREADS = 4, N_ROUNDS = 25 };

typedef struct run_state {
    const picker_class *class_;
    void *self;
    uint64_t n_picks; /* of each thread */
    pthread_barrier_t barrier;
} run_state;

typedef struct run_thread {
    run_state *state;
    int cpu;
    pthread_t thread;
    double began_ns;
    double ended_ns;
} run_thread;

static double now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *run_thread_main(void *arg)
{
    run_thread *thread = arg;
    run_state *state = thread->state;

    pin_to(thread->cpu);
    state->class_->run(state->self, 1000); /* first use, caches */
    (void)pthread_barrier_wait(&state->barrier);
    thread->began_ns = now_ns();
    state->class_->run(state->self, state->n_picks);
    thread->ended_ns = now_ns();
    return NULL;
}

static double round_ns(run_state *state, int n_threads)
{
    long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    run_thread threads[MAX_THREADS];
    double began = 0;
    double ended = 0;

    (void)pthread_barrier_init(&state->barrier, NULL, (unsigned)n_threads);
    for (int i = 0; i < n_threads; i++) {
        threads[i] = (run_thread){.state = state, .cpu = (int)(i % n_cpus)};
        if (pthread_create(&threads[i].thread, NULL, run_thread_main,
                           &threads[i]) != 0) {
            abort();
        }
    }
    for (int i = 0; i < n_threads; i++) {
        (void)pthread_join(threads[i].thread, NULL);
        if (i == 0 || threads[i].began_ns < began) {
            began = threads[i].began_ns;
        }
        if (i == 0 || threads[i].ended_ns > ended) {
            ended = threads[i].ended_ns;
        }
    }
    (void)pthread_barrier_destroy(&state->barrier);
    return (ended - began) / (double)state->n_picks;
}

static double best_ns(const picker_class *class_, uint32_t n_endpoints,
                      int n_threads, uint64_t n_picks)
{
    run_state state = {.class_ = class_, .n_picks = n_picks};
    double best = 0;

    state.self = class_->create(n_endpoints);
    if (state.self == NULL) {
        abort();
    }
    for (int round = 0; round < N_ROUNDS; round++) {
        double ns = round_ns(&state, n_threads);

        if (round == 0 || ns < best) {
            best = ns;
        }
    }
    class_->destroy(state.self);
    return best;
}

static double atomic_pair_ns(void)
{
    enum { N = 200000 };
    _Atomic uint32_t count = 0;
    double best = 0;

    for (int round = 0; round < 4 * N_ROUNDS; round++) {
        double began = now_ns();
        double ns;

        for (int i = 0; i < N; i++) {
            atomic_fetch_add(&count, 1);
            atomic_fetch_sub(&count, 1);
        }
        ns = (now_ns() - began) / N;
        if (round == 0 || ns < best) {
            best = ns;
        }
    }
    return best;
}

/* pick_ns.N.T is beside the mutex, pick_ns.N.T.urcu the same beside liburcu. */
static void measure(uint32_t n_endpoints, int n_threads)
{
    uint64_t n_ours = figure_is_quick() ? 1000 : 200000;
    uint64_t n_peers = figure_is_quick() ? 1000 : 50000;
    char name[64];
    double ours = best_ns(&picker_muster, n_endpoints, n_threads, n_ours);

    (void)snprintf(name, sizeof name, "pick_ns.%u.%d", n_endpoints, n_threads);
    figure_print_beside(
        name, ours, "ns", picker_mutex.name,
        best_ns(&picker_mutex, n_endpoints, n_threads, n_peers));
    (void)snprintf(name, sizeof name, "pick_ns.%u.%d.urcu", n_endpoints,
                   n_threads);
    figure_print_beside(name, ours, "ns", picker_urcu.name,
                        best_ns(&picker_urcu, n_endpoints, n_threads, n_peers));
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {2, 10, 64, 256, 1000, 100000};

    figure_init(&argc, argv);
    pin_to(0);
    figure_print("atomic_pair_ns", atomic_pair_ns(), "ns");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int n_threads = 1; n_threads <= MAX_THREADS; n_threads *= 2) {
            measure(sizes[i], n_threads);
        }
    }
    return EXIT_SUCCESS;
}
