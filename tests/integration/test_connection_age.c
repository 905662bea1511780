/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that send every connection away when it is a second old. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>

#include "cluster.h"
#include "load.h"
#include "scale.h"

enum { N_SERVERS = 4, N_CALLERS = 32 };

typedef struct period {
    uint64_t end_ns;
} period;

static bool is_over(void *arg)
{
    return now_ns() >= ((const period *)arg)->end_ns;
}

Test(connection_age, of_a_second_fails_no_call_of_32_callers)
{
    const char *const flags[] = {"--max-connection-age-ms", "1000", NULL};
    const size_t n_seconds = scale(6, 60);
    muster_channel_stats stats;
    cluster c;
    load *calls;

    cluster_init(&c, "age", N_SERVERS, flags, NULL);
    cluster_list(&c, (1 << N_SERVERS) - 1);
    calls = load_start_blocking(c.channel, N_CALLERS);
    for (size_t i = 0; i < n_seconds; i++) { /* a length, not a wait */
        period second = {.end_ns = now_ns() + 1000000000u};

        (void)eventually(is_over, &second);
    }
    load_stop(calls);
    stats = cluster_stats(&c);
    (void)printf("%zu s, %lu calls, %lu failed, %lu connections\n", n_seconds,
                 load_ended(calls), load_failed(calls),
                 stats.connections_created);
    cr_expect_eq(load_failed(calls), 0);
    cr_expect_gt(stats.connections_created, N_SERVERS * n_seconds / 2);
    load_destroy(calls);
    cluster_fini(&c);
}
