/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses that came along with services. */
#include "extras.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    const muster__dns_extra *a = left;
    const muster__dns_extra *b = right;
    int order = strcmp(a->owner, b->owner);

    if (order != 0) {
        return order;
    }
    return (int)a->address.size - (int)b->address.size;
}

void muster__dns_extras_prepare(muster__dns_answer *answer)
{
    if (answer->n_extras == 0) {
        return;
    }
    qsort(answer->extras, answer->n_extras, sizeof *answer->extras, compare);
    for (size_t i = 0; i < answer->n_extras; i++) {
        if (answer->extras[i].ttl_s < answer->ttl_s) {
            answer->ttl_s = answer->extras[i].ttl_s;
        }
    }
}

/* How many extras have an owner whose order to this one is below bound: 0 for
 * the lesser ones, 1 for the equal ones, too. */
static size_t count_below(const muster__dns_answer *answer, const char *owner,
                          int bound)
{
    size_t low = 0;
    size_t high = answer->n_extras;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(answer->extras[middle].owner, owner) < bound) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const muster__dns_extra *
muster__dns_extras_find(const muster__dns_answer *answer, const char *owner,
                        size_t *ret_n)
{
    size_t first = count_below(answer, owner, 0);
    size_t n = count_below(answer, owner, 1) - first;

    *ret_n = n;
    return n > 0 ? &answer->extras[first] : NULL;
}
