/* SPDX-License-Identifier: Apache-2.0 */
/* A policy under load, in virtual time: calls arrive by chance (Poisson), the
 * policy picks a server for each, and hears of each as it ends. */
#ifndef MUSTER_TESTS_QUEUE_MODEL_H
#define MUSTER_TESTS_QUEUE_MODEL_H

#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { QUEUE_MODEL_MAX_SERVERS = 100 };

typedef struct queue_model {
    bool has_queues; /* a server serves one call at a time, first come first */
    double calls_per_s;
    size_t n_calls;
    size_t n_ignored; /* of the first calls, in the results */
    /* How long a call takes once it is served; random is queue_model_random's.
     */
    double (*service_ns)(const void *arg, uint32_t server, uint64_t *random);
    const void *arg;
    uint64_t seed;
} queue_model;

typedef struct queue_results {
    double mean_ns;
    double p99_ns;
    double p999_ns;
    size_t n_calls[QUEUE_MODEL_MAX_SERVERS]; /* of each server */
} queue_results;

/* Evenly between 0 and 1, both excluded. */
static inline double queue_model_random(uint64_t *random)
{
    uint64_t bits = *random += 0x9e3779b97f4a7c15u; /* SplitMix64 */

    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    bits ^= bits >> 31;
    return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

static inline double queue_model_exponential(double mean, uint64_t *random)
{
    return -mean * log(queue_model_random(random));
}

/* ---- calls in flight: a heap, the next to end first ---- */

typedef struct queue_call {
    double end_ns;
    double latency_ns;
    uint64_t id;
} queue_call;

typedef struct queue_heap {
    queue_call *calls;
    size_t n;
} queue_heap;

static inline void queue_heap_push(queue_heap *heap, queue_call call)
{
    size_t at = heap->n++;

    while (at > 0 && heap->calls[(at - 1) / 2].end_ns > call.end_ns) {
        heap->calls[at] = heap->calls[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->calls[at] = call;
}

static inline queue_call queue_heap_pop(queue_heap *heap)
{
    queue_call first = heap->calls[0];
    queue_call last = heap->calls[--heap->n];
    size_t at = 0;

    for (size_t child = 1; child < heap->n; child = 2 * at + 1) {
        if (child + 1 < heap->n &&
            heap->calls[child + 1].end_ns < heap->calls[child].end_ns) {
            child++;
        }
        if (last.end_ns <= heap->calls[child].end_ns) {
            break;
        }
        heap->calls[at] = heap->calls[child];
        at = child;
    }
    heap->calls[at] = last;
    return first;
}

/* ---- the run ---- */

typedef struct queue_run {
    const queue_model *model;
    muster_testkit_balancer *kit;
    uint64_t random;
    double now_ns;
    queue_heap heap;
    double *free_ns;      /* of each server: when it has served all it has */
    double *latencies_ns; /* of the calls that have ended */
    size_t n_ended;
} queue_run;

/* The kit's clock has milliseconds only; latencies are exact. */
static inline void queue_run_move(queue_run *run, double now_ns)
{
    uint64_t kit_ms = muster_testkit_balancer_now_ns(run->kit) / 1000000;
    uint64_t now_ms = (uint64_t)(now_ns / 1e6);

    run->now_ns = now_ns;
    if (now_ms > kit_ms) {
        (void)muster_testkit_balancer_advance(run->kit, now_ms - kit_ms);
    }
}

static inline void queue_run_end(queue_run *run)
{
    const queue_call call = queue_heap_pop(&run->heap);
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .flags = MUSTER_OUTCOME_FROM_SERVER,
                                    .latency_ns = (uint64_t)call.latency_ns};

    queue_run_move(run, call.end_ns);
    muster_testkit_balancer_done(run->kit, call.id, &outcome);
    run->latencies_ns[run->n_ended++] = call.latency_ns;
}

static inline uint32_t queue_run_begin(queue_run *run)
{
    const queue_model *model = run->model;
    queue_call call = {.end_ns = run->now_ns};
    muster_testkit_pick pick;

    muster_testkit_balancer_pick(run->kit, NULL, 0, &pick);
    cr_assert_eq(pick.verdict, MUSTER_PICK_INDEX);
    if (model->has_queues && run->free_ns[pick.index] > call.end_ns) {
        call.end_ns = run->free_ns[pick.index];
    }
    call.end_ns += model->service_ns(model->arg, pick.index, &run->random);
    run->free_ns[pick.index] = call.end_ns;
    call.latency_ns = call.end_ns - run->now_ns;
    call.id = pick.id;
    queue_heap_push(&run->heap, call);
    return pick.index;
}

static inline int queue_model_compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static inline void queue_run_summarise(queue_run *run, queue_results *results)
{
    double *latencies_ns = run->latencies_ns + run->model->n_ignored;
    size_t n = run->n_ended - run->model->n_ignored;
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += latencies_ns[i];
    }
    qsort(latencies_ns, n, sizeof *latencies_ns, queue_model_compare);
    results->mean_ns = sum / (double)n;
    results->p99_ns = latencies_ns[n * 99 / 100];
    results->p999_ns = latencies_ns[n * 999 / 1000];
}

/* The servers are kit's endpoints, READY and published. */
static inline queue_results queue_model_run(const queue_model *model,
                                            muster_testkit_balancer *kit)
{
    queue_run run = {.model = model, .kit = kit, .random = model->seed};
    queue_results results = {0};
    double next_ns = 0;

    run.heap.calls = malloc(model->n_calls * sizeof *run.heap.calls);
    run.latencies_ns = malloc(model->n_calls * sizeof *run.latencies_ns);
    run.free_ns = calloc(QUEUE_MODEL_MAX_SERVERS, sizeof *run.free_ns);
    for (size_t i = 0; i < model->n_calls; i++) {
        uint32_t server;

        next_ns +=
            queue_model_exponential(1e9 / model->calls_per_s, &run.random);
        while (run.heap.n > 0 && run.heap.calls[0].end_ns <= next_ns) {
            queue_run_end(&run);
        }
        queue_run_move(&run, next_ns);
        server = queue_run_begin(&run);
        results.n_calls[server] += i >= model->n_ignored;
    }
    while (run.heap.n > 0) {
        queue_run_end(&run);
    }
    queue_run_summarise(&run, &results);
    free(run.free_ns);
    free(run.latencies_ns);
    free(run.heap.calls);
    return results;
}

#endif
