/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold once nothing happens any more. */
#include "rest.h"

#include <string.h>

#include "operations.h"

static unsigned best_priority(const world *w)
{
    unsigned best = PRIORITIES;

    for (size_t i = 0; i < w->n; i++) {
        best = w->list[i].priority < best ? w->list[i].priority : best;
    }
    return best;
}

static bool is_served(const world *w, const char *address)
{
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->list[i].address, address) == 0) {
            return w->list[i].priority == best_priority(w);
        }
    }
    return false;
}

static size_t n_served(const world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n; i++) {
        n += w->list[i].priority == best_priority(w);
    }
    return n;
}

/* Whatever hangs or fails does so no more. */
static void heal(world *w)
{
    muster_testkit_transport_set_delay(w->transport, 0);
    (void)muster_testkit_transport_set_failure(w->transport, NULL, NULL);
    (void)muster_testkit_transport_connect(w->transport, NULL);
    (void)muster_testkit_transport_report_health(w->transport, NULL,
                                                 MUSTER_HEALTH_SERVING, NULL);
}

/* Whether picks cover exactly the READY endpoints of the best priority. */
static bool is_covered(world *w, muster_channel *channel)
{
    bool seen[ADDRESSES] = {false};
    size_t n_seen = 0;
    bool is_right = true;

    for (unsigned k = 0; k < 4000 && is_right && n_seen < n_served(w); k++) {
        muster_lease lease = {0};
        if (muster_channel_pick(channel, NULL, &lease, NULL) != MUSTER_OK) {
            return false;
        }
        const char *address = muster_lease_endpoint(&lease)->address;
        is_right = is_served(w, address);
        for (int i = 0; i < ADDRESSES; i++) {
            if (strcmp(addresses[i], address) == 0 && !seen[i]) {
                seen[i] = true;
                n_seen++;
            }
        }
        finish(w, &lease);
    }
    return is_right && n_seen == n_served(w);
}

/* Nothing has been published for a while: no table is in the making. */
static bool is_settled(muster_channel *channel)
{
    uint64_t generation = stats_of(channel).generation;

    for (int i = 0; i < 20; i++) {
        if (stats_of(channel).generation != generation) {
            return false;
        }
    }
    return true;
}

static bool is_drained(muster_channel *channel)
{
    muster_channel_stats stats = stats_of(channel);

    return stats.draining == 0 && stats.in_flight == 0 && stats.parked == 0;
}

/* Whether what was made and not destroyed is what the transport has. */
static bool adds_up(world *w)
{
    muster_testkit_transport_counts counts = {0};
    uint64_t n_alive = 0;
    uint64_t n_used;

    for (int i = 0; i < CHANNELS; i++) {
        muster_channel_stats stats = stats_of(w->channels[i]);
        n_alive += stats.connections_created - stats.connections_destroyed;
    }
    muster_testkit_transport_get_counts(w->transport, NULL, &counts);
    n_used = counts.connecting + counts.connected;
    return n_alive == n_used && n_used <= w->n * CHANNELS * CONNECTIONS;
}

void rest(world *w)
{
    atomic_store(&w->is_resting, true);
    EVENTUALLY(atomic_load(&w->n_resting) == PICKERS, "pickers at rest");
    EVENTUALLY(atomic_load(&w->n_answered) == atomic_load(&w->n_asked),
               "asynchronous picks without an answer");
    for (int i = 0; i < CHANNELS; i++) {
        (void)stats_of(w->channels[i]); /* the last list is in */
        EVENTUALLY((heal(w), is_covered(w, w->channels[i])),
                   "picks do not cover the endpoints");
        EVENTUALLY(is_drained(w->channels[i]), "something never drains");
        /* A loss that the transport had yet to report takes a cover away once
         * more; a wrong table that comes late takes it away for good. */
        EVENTUALLY((heal(w), is_settled(w->channels[i]) &&
                                 is_covered(w, w->channels[i])),
                   "picks cover the endpoints no more");
        EVENTUALLY(is_drained(w->channels[i]), "something never drains");
    }
    EVENTUALLY(adds_up(w), "connections do not add up");
    w->is_unsure = false;
    promise(w);
    atomic_store(&w->is_resting, false);
    EVENTUALLY(atomic_load(&w->n_resting) == 0, "pickers at work");
}
