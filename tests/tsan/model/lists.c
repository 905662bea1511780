/* SPDX-License-Identifier: Apache-2.0 */
/* Random lists of endpoints, and how they change. */
#include "lists.h"

#include "script_resolver.h"

static void randomize_endpoint(world *w, muster_endpoint *endpoint)
{
    static const muster_attribute attribute = {"rack", "7"};

    endpoint->weight = w->has_weights ? below(&w->random, 4) : 0;
    endpoint->priority = w->has_priorities ? below(&w->random, PRIORITIES) : 0;
    endpoint->attributes = &attribute;
    endpoint->n_attributes = below(&w->random, 2);
}

static void randomize_list(world *w)
{
    unsigned first = below(&w->random, ADDRESSES);

    w->n = 1 + below(&w->random, ADDRESSES / 2);
    for (size_t i = 0; i < w->n; i++) {
        unsigned at = (first + (unsigned)i) % ADDRESSES;

        w->list[i].address = addresses[at];
        w->list[i].more_addresses = more_addresses[at];
        w->list[i].n_more_addresses = at % (MORE + 1);
        randomize_endpoint(w, &w->list[i]);
    }
}

/* With a service config, or without. An invalid one changes nothing, but as the
 * first. */
static void report(world *w, const muster_endpoint *list, size_t n)
{
    static const char *const configs[] = {
        NULL,
        "{\"methodConfig\": [{\"name\": [{\"service\": \"a\"}]}]}",
        "{\"loadBalancingConfig\": [{\"round_robin\": {\"strict\": true}}]}",
        "{\"loadBalancingConfig\": [{\"weighted_round_robin\": {}}]}",
        "{\"healthCheckConfig\": {\"serviceName\": \"a\"}}",
        "{\"healthCheckConfig\": {\"serviceName\": \"\"}}",
        "{\"loadBalancingConfig\": []}",
    };

    script_report_config(
        TARGET, list, n,
        configs[below(&w->random, w->has_valid_config ? 7 : 6)]);
    w->has_valid_config = true;
}

/* The list as it is, in another order and with repetitions. */
static void report_shuffled(world *w)
{
    muster_endpoint list[2 * ADDRESSES];
    size_t start = w->n == 0 ? 0 : below(&w->random, (unsigned)w->n);

    for (size_t i = 0; i < w->n; i++) {
        list[i] = w->list[(start + i) % w->n];
        list[w->n + i] = list[i];
    }
    report(w, list, below(&w->random, 2) == 0 ? w->n : 2 * w->n);
}

static void report_delta(world *w)
{
    muster_endpoint removed = {0};
    muster_endpoint *changed = &w->list[below(&w->random, (unsigned)w->n)];

    randomize_endpoint(w, changed);
    if (w->n > 1 && below(&w->random, 2) == 0) {
        removed = w->list[w->n - 1];
        if (changed == &w->list[w->n - 1]) {
            changed = &w->list[0];
        }
        w->n--;
        script_report_delta(TARGET, changed, 1, &removed, 1);
    } else {
        script_report_delta(TARGET, changed, 1, NULL, 0);
    }
}

void change_list(world *w)
{
    switch (below(&w->random, 4)) {
    case 0:
        randomize_list(w);
        report(w, w->list, w->n);
        break;
    case 1:
        report_shuffled(w);
        break;
    case 2:
        for (size_t i = 0; i < w->n; i++) {
            randomize_endpoint(w, &w->list[i]);
        }
        report(w, w->list, w->n);
        break;
    default:
        if (w->n > 0) {
            report_delta(w);
        }
        break;
    }
}
