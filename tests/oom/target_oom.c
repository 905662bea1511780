/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation in reading a target fails once, uriparser's included: that
 * is what is said, and nothing is freed twice. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "failing_malloc.h"
#include "target.h"

static const char *const targets[] = {
    "file:///etc/backends.json?empty=hold:30s&interval=1s",
    "static:///10.0.0.1:1;weight=2;zone=a,[fe80::1%25eth0]:2", "file:/a%20b"};

/* Whether the run-th allocation was reached. */
static bool read_target(const char *text, uint64_t run)
{
    muster__target *target = NULL;
    muster_error err = {0};
    muster_status status;
    bool has_failed;

    failing_malloc_arm(run, 1);
    status = muster__target_parse(text, &target, &err);
    has_failed = failing_malloc_disarm();
    muster__target_destroy(target);
    if (status != (has_failed ? MUSTER_NOMEM : MUSTER_OK)) {
        (void)fprintf(stderr, "%s, allocation %llu: %s: %s\n", text,
                      (unsigned long long)run, muster_status_name(status),
                      err.message);
        exit(1);
    }
    return has_failed;
}

int main(void)
{
    uint64_t n = 0;

    (void)read_target(targets[0], UINT32_MAX); /* finds the plugins */
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        for (uint64_t run = 1; read_target(targets[i], run); run++) {
            n++;
        }
    }
    (void)printf("%llu allocations failed\n", (unsigned long long)n);
    return n == 0 ? 1 : 0;
}
