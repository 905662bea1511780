/* SPDX-License-Identifier: Apache-2.0 */
/* What one change costs the control thread: publish [--json] [--quick]
 *
 * One endpoint removed, one added, a view frozen and published; what readers
 * let go of is reclaimed between the rounds and measured apart. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "figure.h"
#include "plane_world.h"

enum { MAX_ENDPOINTS = 100000, N_CHANGES = 100 };

static plane_world world;
static world_connection *connections[MAX_ENDPOINTS];
static uint32_t at;

static double now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void require(bool condition)
{
    if (!condition) {
        fprintf(stderr, "publish: out of memory\n");
        exit(EXIT_FAILURE);
    }
}

static void change(uint32_t n_endpoints)
{
    at = (at + 7919) % n_endpoints;
    world_remove(connections[at]);
    connections[at] = world_add(&world);
    require(connections[at] != NULL);
    require(world_publish(&world) == MUSTER_OK);
}

static void measure(uint32_t n_endpoints, int n_rounds)
{
    double best_change = 0;
    double best_poll = 0;
    char name[64];

    for (int round = 0; round < n_rounds; round++) {
        double began = now_ns();
        double changed;
        double polled;

        for (int i = 0; i < N_CHANGES; i++) {
            change(n_endpoints);
        }
        changed = now_ns();
        require(world_settle(&world));
        polled = now_ns();
        if (round == 0 || changed - began < best_change) {
            best_change = changed - began;
        }
        if (round == 0 || polled - changed < best_poll) {
            best_poll = polled - changed;
        }
    }
    (void)snprintf(name, sizeof name, "publish_ns.%u", n_endpoints);
    figure_print(name, best_change / N_CHANGES, "ns");
    (void)snprintf(name, sizeof name, "reclaim_ns.%u", n_endpoints);
    figure_print(name, best_poll / N_CHANGES, "ns");
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {10, 1000, MAX_ENDPOINTS};
    uint32_t n = 0;

    figure_init(&argc, argv);
    require(world_init(&world, &world_class));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (; n < sizes[i]; n++) {
            connections[n] = world_add(&world);
            require(connections[n] != NULL);
        }
        require(world_publish(&world) == MUSTER_OK);
        measure(n, figure_is_quick() ? 2 : 100);
    }
    for (uint32_t i = 0; i < n; i++) {
        world_remove(connections[i]);
    }
    return world_fini(&world) ? EXIT_SUCCESS : EXIT_FAILURE;
}
