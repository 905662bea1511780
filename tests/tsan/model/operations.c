/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to channels at random. */
#include "operations.h"

#include "lists.h"
#include "script_resolver.h"

static bool serves(world *w)
{
    for (int i = 0; i < CHANNELS; i++) {
        muster_lease lease = {0};
        if (muster_channel_pick(w->channels[i], NULL, &lease, NULL) !=
            MUSTER_OK) {
            return false;
        }
        finish(w, &lease);
    }
    return true;
}

/* Something serves, and from here on nothing happens that may end it. */
void promise(world *w)
{
    if (!w->is_unsure && atomic_load(&w->must_serve) == 0 && serves(w)) {
        atomic_store(&w->must_serve, ++w->n_promises);
    }
}

void break_promise(world *w)
{
    atomic_store(&w->must_serve, 0);
}

/* It serves, or soon does not. */
static void disturb_health(world *w, const char *address)
{
    muster_health health = (muster_health)below(&w->random, 4);

    if (health == MUSTER_HEALTH_UNKNOWN ||
        health == MUSTER_HEALTH_NOT_SERVING) {
        break_promise(w);
        w->is_unsure = true;
    }
    (void)muster_testkit_transport_report_health(
        w->transport, address, health,
        below(&w->random, 2) == 0 ? "it is tired" : NULL);
}

static void disturb_connections(world *w)
{
    unsigned endpoint = below(&w->random, ADDRESSES);
    unsigned which = below(&w->random, 1 + MORE);
    const char *address =
        which == 0 ? addresses[endpoint] : more_texts[endpoint][which - 1];

    switch (below(&w->random, 9)) {
    case 0:
        muster_testkit_transport_set_delay(
            w->transport,
            below(&w->random, 4) == 0 ? MUSTER_FOREVER : below(&w->random, 4));
        break;
    case 1:
        (void)muster_testkit_transport_set_failure(
            w->transport, address, below(&w->random, 2) ? "refused" : NULL);
        break;
    case 2:
        (void)muster_testkit_transport_connect(w->transport, address);
        break;
    case 3:
        (void)muster_testkit_transport_fail(w->transport, address, "reset");
        break;
    case 4:
        muster_testkit_transport_set_inline(w->transport,
                                            (int)below(&w->random, 2));
        break;
    case 5:
    case 6:
    case 7:
        disturb_health(w, address);
        break;
    default:
        break_promise(w);
        w->is_unsure = true;
        (void)muster_testkit_transport_disconnect(w->transport, address);
        break;
    }
}

void operate(world *w)
{
    unsigned what = below(&w->random, 20);

    if (what < 9) {
        change_list(w);
    } else if (what < 15) {
        disturb_connections(w);
    } else if (what == 15) {
        script_fail(TARGET, MUSTER_UNAVAILABLE, "the source is away");
    } else if (what == 16) {
        muster_channel_refresh(w->channels[0]);
    } else if (what == 17 && below(&w->random, 3) == 0) {
        break_promise(w);
        script_report(TARGET, NULL, 0);
        w->n = 0;
    } else {
        (void)stats_of(w->channels[below(&w->random, CHANNELS)]);
        promise(w);
    }
}
