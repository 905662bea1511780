/* SPDX-License-Identifier: Apache-2.0 */
/* What the demo says. */
#include "demo.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAR = 30 };

typedef struct seen {
    const char *state;
    json_int_t in_flight;
} seen;

/* An address that left and came back is there twice while the old one drains.
 */
static seen look_up(const json_t *endpoints, const char *address)
{
    seen found = {"not listed", 0};
    bool is_listed = false;
    size_t i;
    json_t *endpoint;

    json_array_foreach(endpoints, i, endpoint)
    {
        const char *text =
            json_string_value(json_object_get(endpoint, "address"));
        if (text == NULL || strcmp(text, address) != 0) {
            continue;
        }
        found.in_flight +=
            json_integer_value(json_object_get(endpoint, "in_flight"));
        if (json_is_true(json_object_get(endpoint, "listed"))) {
            is_listed = true;
            found.state = json_string_value(json_object_get(endpoint, "state"));
        } else if (!is_listed) {
            found.state = "draining";
        }
    }
    return found;
}

static void print_backend(const demo_backend *server, uint64_t n_calls,
                          uint64_t n_all, seen found)
{
    unsigned width =
        n_all == 0 ? 0 : (unsigned)((n_calls * BAR + n_all / 2) / n_all);

    (void)printf("  %-16s %6" PRIu64 " calls/s  %-*.*s  %3d in flight  %s%s\n",
                 server->process.address, n_calls, BAR, (int)width,
                 "##############################", (int)found.in_flight,
                 found.state,
                 atomic_load(&server->is_killed) ? " (killed)" : "");
}

void demo_print_second(demo_world *demo, unsigned second)
{
    static uint64_t before[DEMO_BACKENDS];
    uint64_t now[DEMO_BACKENDS];
    uint64_t n_all = 0;
    char *text = NULL;
    json_t *json = NULL;

    if (muster_channel_dump_json(demo->channel, &text) == MUSTER_OK) {
        json = json_loads(text, 0, NULL);
    }
    for (int i = 0; i < DEMO_BACKENDS; i++) {
        now[i] = atomic_load(&demo->backends[i].n_calls);
        n_all += now[i] - before[i];
    }
    (void)printf("%2u s  %" PRIu64 " calls/s, %" PRIu64
                 " failed outside the killed process\n",
                 second, n_all, atomic_load(&demo->n_failed_outside));
    for (int i = 0; i < DEMO_BACKENDS; i++) {
        const demo_backend *server = &demo->backends[i];
        print_backend(server, now[i] - before[i], n_all,
                      look_up(json_object_get(json, "endpoints"),
                              server->process.address));
        before[i] = now[i];
    }
    (void)fflush(stdout);
    json_decref(json);
    free(text);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

void demo_print_summary(demo_world *demo)
{
    uint32_t n = atomic_load(&demo->n_delays);
    uint64_t n_calls = atomic_load(&demo->n_calls);
    uint64_t median_us = 0;
    uint64_t worst_us = 0;

    n = n > DEMO_MAX_DELAYS ? DEMO_MAX_DELAYS : n;
    if (n > 0) {
        qsort(demo->delays_us, n, sizeof *demo->delays_us, compare);
        median_us = demo->delays_us[n / 2];
        worst_us = demo->delays_us[n - 1];
    }
    (void)printf("\n%" PRIu64 " calls (%" PRIu64 " of them streams), %" PRIu64
                 " changes of the list\n",
                 n_calls, atomic_load(&demo->n_streams), demo->n_changes);
    (void)printf("failed: %" PRIu64 " on the killed process's connections, "
                 "%" PRIu64 " elsewhere\n",
                 atomic_load(&demo->n_failed_on_killed),
                 atomic_load(&demo->n_failed_outside));
    for (int i = 0; i < DEMO_BACKENDS; i++) {
        const demo_backend *server = &demo->backends[i];
        uint64_t calls = atomic_load(&server->n_calls);
        (void)printf("  %-16s %5.1f %% of calls, %" PRIu64 " stream messages\n",
                     server->process.address,
                     n_calls == 0 ? 0 : 100.0 * (double)calls / (double)n_calls,
                     atomic_load(&server->n_streamed));
    }
    (void)printf("from file change to the first call on an added backend: "
                 "median %.1f ms, worst %.1f ms, of %u\n",
                 (double)median_us / 1000, (double)worst_us / 1000, n);
    (void)printf("{\"calls\":%" PRIu64 ",\"failed_outside_killed\":%" PRIu64
                 ",\"failed_on_killed\":%" PRIu64 ",\"streams\":%" PRIu64
                 ",\"changes\":%" PRIu64 ",\"first_call_median_us\":%" PRIu64
                 ",\"first_call_worst_us\":%" PRIu64 "}\n",
                 n_calls, atomic_load(&demo->n_failed_outside),
                 atomic_load(&demo->n_failed_on_killed),
                 atomic_load(&demo->n_streams), demo->n_changes, median_us,
                 worst_us);
}
