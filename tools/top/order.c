/* SPDX-License-Identifier: Apache-2.0 */
/* The order of endpoints on the screen. */
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"

typedef int (*compare_fn)(const void *left, const void *right);

/* Numbers in addresses compare as numbers. */
static int by_address(const void *left, const void *right)
{
    const top_endpoint *a = left;
    const top_endpoint *b = right;
    int order = strverscmp(a->address, b->address);

    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

static int by_calls(const void *left, const void *right)
{
    const top_endpoint *a = left;
    const top_endpoint *b = right;
    int order = (a->rate < b->rate) - (a->rate > b->rate);

    return order != 0 ? order : by_address(left, right);
}

static int by_in_flight(const void *left, const void *right)
{
    const top_endpoint *a = left;
    const top_endpoint *b = right;
    int order = (a->in_flight < b->in_flight) - (a->in_flight > b->in_flight);

    return order != 0 ? order : by_address(left, right);
}

/* What needs a look comes first; an unknown word does, too. */
static int rank_of(const char *state)
{
    static const char *const ranked[] = {
        "TRANSIENT_FAILURE", "EJECTED", "CONNECTING", "DRAINING",
        "SHUTDOWN",          "IDLE",    "READY"};
    int n = (int)(sizeof ranked / sizeof ranked[0]);

    for (int i = 0; i < n; i++) {
        if (strcmp(ranked[i], state) == 0) {
            return i;
        }
    }
    return -1;
}

static int by_state(const void *left, const void *right)
{
    const top_endpoint *a = left;
    const top_endpoint *b = right;
    int order = rank_of(a->state) - rank_of(b->state);

    return order != 0 ? order : by_address(left, right);
}

static const struct {
    const char *name;
    compare_fn compare;
} orders[] = {
    [TOP_BY_CALLS] = {"calls", by_calls},
    [TOP_BY_IN_FLIGHT] = {"inflight", by_in_flight},
    [TOP_BY_STATE] = {"state", by_state},
    [TOP_BY_ADDRESS] = {"address", by_address},
};

const char *top_order_name(top_order order)
{
    return orders[order].name;
}

bool top_order_parse(const char *text, top_order *ret_order)
{
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (strcmp(orders[i].name, text) == 0) {
            *ret_order = (top_order)i;
            return true;
        }
    }
    return false;
}

void top_snapshot_sort(top_snapshot *self, top_order order)
{
    for (size_t i = 0; i < self->n_targets; i++) {
        qsort(self->targets[i].endpoints, self->targets[i].n_endpoints,
              sizeof *self->targets[i].endpoints, orders[order].compare);
    }
}
