/* SPDX-License-Identifier: Apache-2.0 */
/* The policy slow_start on a real channel, over the fake transport. */
#include "channel_fixture.h"

#define TARGET "slow_start"

enum { LONG_MS = 60000 };

const muster_plugin *muster_builtin_slow_start(void);

static const char *const ab[] = {"10.0.0.1:1", "10.0.0.2:1"};

static void open_channel(const char *config)
{
    const muster_channel_options options = {.policy = "slow_start",
                                            .policy_config_json = config};

    open_registered(muster_builtin_slow_start, "script:///" TARGET, options);
}

/* How many of n calls go to the second one. */
static int count_second(int n)
{
    int n_second = 0;

    for (int i = 0; i < n; i++) {
        n_second += strcmp(place_by(NULL, in_ms(LONG_MS), NULL), ab[1]) == 0;
    }
    return n_second;
}

/* For an hour: the time that the test takes is nothing to it. */
Test(slow_start_channel, shares_calls_evenly_when_all_are_new)
{
    open_channel("{\"slowStartWindow\": \"3600s\"}");
    script_report_addresses(TARGET, ab, 2);
    AWAIT(stats().ready == 2);
    AWAIT(count_second(1) == 1);
    cr_expect_float_eq(count_second(1000), 500, 20);
    close_channel();
}

/* With no event but its own timers. The first has warmed up when a whole window
 * went by since it began. */
Test(slow_start_channel, gives_a_new_one_its_share_in_the_end)
{
    uint64_t warm_ns;

    open_channel("{\"slowStartWindow\": \"2s\", \"minWeightPercent\": 0}");
    script_report_addresses(TARGET, ab, 1);
    AWAIT(count_second(1) == 0);
    warm_ns = in_ms(2000);
    AWAIT((count_second(1), in_ms(0) >= warm_ns));
    script_report_addresses(TARGET, ab, 2);
    AWAIT(stats().ready == 2);
    AWAIT(count_second(200) >= 95);
    cr_expect_geq(stats().generation, 3);
    close_channel();
}
