/* SPDX-License-Identifier: Apache-2.0 */
/* From the weights of services to the weights of endpoints. */
#include "shares.h"

#include <stdbool.h>

enum { ONE = 100 }; /* a weight of 1, where one of 0 counts as 1 */

/* Largest numbers of endpoints' common multiple that is still used; beyond it
 * weights are rounded, by less than 1 in 5 000. */
#define MULTIPLE_MAX UINT64_C(5040)

/* Of an endpoint: sums of many stay far from overflow. */
#define EACH_MAX (UINT64_C(1) << 24)

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* A group: the shares of one priority. */
typedef struct group {
    bool has_weight; /* some weight is not 0 */
    bool has_zero;
    uint64_t multiple; /* of all numbers of endpoints */
    uint64_t divisor;  /* of all weights of endpoints */
    uint64_t largest;
} group;

static void look(group *seen, const muster__dns_share *share)
{
    uint64_t multiple;

    seen->has_weight = seen->has_weight || share->weight != 0;
    seen->has_zero = seen->has_zero || share->weight == 0;
    multiple =
        seen->multiple / common_divisor(seen->multiple, share->n) * share->n;
    seen->multiple = multiple > MULTIPLE_MAX ? MULTIPLE_MAX : multiple;
}

static uint64_t each_of(const group *seen, const muster__dns_share *share)
{
    uint64_t whole = share->weight;

    if (!seen->has_weight) {
        whole = 1;
    } else if (seen->has_zero) {
        whole = whole == 0 ? 1 : whole * ONE;
    }
    /* Rounded; a share of nothing would still be one of something. */
    whole = (whole * seen->multiple + share->n / 2) / share->n;
    return whole != 0 ? whole : 1;
}

static uint32_t reduce(const group *seen, uint64_t each)
{
    if (seen->largest / seen->divisor > EACH_MAX) {
        each = each * EACH_MAX / seen->largest;
        return each != 0 ? (uint32_t)each : 1;
    }
    return (uint32_t)(each / seen->divisor);
}

static void set_group(muster__dns_share *shares, size_t n, uint16_t priority)
{
    group seen = {.multiple = 1};

    for (size_t i = 0; i < n; i++) {
        if (shares[i].priority == priority && shares[i].n != 0) {
            look(&seen, &shares[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (shares[i].priority == priority && shares[i].n != 0) {
            uint64_t each = each_of(&seen, &shares[i]);

            seen.divisor = common_divisor(each, seen.divisor);
            seen.largest = each > seen.largest ? each : seen.largest;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (shares[i].priority == priority && shares[i].n != 0) {
            shares[i].ret_each = reduce(&seen, each_of(&seen, &shares[i]));
        }
    }
}

void muster__dns_shares_set(muster__dns_share *shares, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        shares[i].ret_each = 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (shares[i].n != 0 && shares[i].ret_each == 0) {
            set_group(shares, n, shares[i].priority);
        }
    }
}
