/* SPDX-License-Identifier: Apache-2.0 */
/* Times that were measured. */
#include "timings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void timings_add(timings *self, uint64_t ns)
{
    self->n_late += ns > self->limit_ns;
    if (self->n < TIMINGS_MAX) {
        self->ns[self->n++] = ns;
    }
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static void write_time(uint64_t ns, char text[32])
{
    if (ns == TIMINGS_NEVER) {
        (void)strcpy(text, "never");
    } else {
        (void)snprintf(text, 32, "%.1f ms", (double)ns / 1e6);
    }
}

void timings_print(const timings *self, const char *what)
{
    timings sorted = *self;
    char median[32] = "none";
    char worst[32] = "none";

    qsort(sorted.ns, sorted.n, sizeof *sorted.ns, compare);
    if (sorted.n > 0) {
        write_time(sorted.ns[sorted.n / 2], median);
        write_time(sorted.ns[sorted.n - 1], worst);
    }
    (void)printf("%s: median %s, worst %s, of %zu (limit %.0f ms)\n", what,
                 median, worst, self->n, (double)self->limit_ns / 1e6);
    (void)fflush(stdout);
}
