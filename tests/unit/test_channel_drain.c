/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that were given up with calls on them. */
#include "picking_fixture.h"

static muster_lease pick_on(const bench *b, const char *address)
{
    muster_lease lease = pick(b);

    while (strcmp(muster_lease_endpoint(&lease)->address, address) != 0) {
        muster_lease_finish(&lease, NULL);
        lease = pick(b);
    }
    return lease;
}

static void await_cancelled(const bench *b, uint64_t n)
{
    while (counts_of(b).cancelled < n) {
        (void)stats_of(b);
    }
}

/* Two connections die with calls that outlive the drain deadline. One call
 * ends; the endpoint of the other goes, which begins its deadline anew. */
static void outlive(const char *name, const char *stays, const char *ends)
{
    const muster_channel_options options = {.drain_deadline_ms = 100};
    bench b = bench_open(name, 2, &options);
    muster_lease kept = pick_on(&b, stays);
    muster_lease ended = pick_on(&b, ends);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    (void)muster_testkit_transport_disconnect(b.transport, NULL);
    await_cancelled(&b, 2);
    muster_lease_finish(&ended, NULL);
    await_counts_of(&b, ends, 2, 1);
    await_counts_of(&b, stays, 2, 0);
    script_report_addresses(name, &ends, 1);
    await_cancelled(&b, 3);
    muster_lease_finish(&kept, NULL);
    await_counts_of(&b, stays, 2, 2);
    bench_close(&b);
}

/* Whichever of the two was given up first. */
Test(drain, deadline_begins_anew_when_a_neighbour_is_gone)
{
    outlive("first", addresses[0], addresses[1]);
    outlive("second", addresses[1], addresses[0]);
}
