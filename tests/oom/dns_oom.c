/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of ours in reading a DNS reply fails once: that is said,
 * nothing crashes or is lost, and no server is blamed. Those of c-ares are for
 * resolvers.test_dns_packet_bad. */
#include <packet.h>

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "failing_malloc.h"

enum { ROUNDS = 1000 };

#define HEADER "\x12\x34\x81\x80\0\1\0\2\0\0\0\1"
#define NAME "\3web\4prod\0"
#define LINK "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\3\1b\0"

/* Questions, a link from web.prod to b, and a record of b. */
static const char srv[] = HEADER NAME
    "\0\x21\0\1" LINK "\1b\0\0\x21\0\1\0\0\0\x3c\0\x09\0\0\0\0\0\1\1c\0"
    "\1c\0\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1";
static const char txt[] =
    HEADER NAME "\0\x10\0\1" LINK "\1b\0\0\x10\0\1\0\0\0\x3c\0\4\1x\1y"
                "\1c\0\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1";

static void die(const char *what, uint64_t run)
{
    (void)failing_malloc_disarm();
    (void)fprintf(stderr, "allocation %llu: %s\n", (unsigned long long)run,
                  what);
    exit(1);
}

/* Whether the run-th allocation was reached. */
static bool read_packet(muster__dns_type type, const char *packet, size_t size,
                        uint64_t run)
{
    muster__dns_answer *answer = NULL;
    muster__dns_trouble trouble = MUSTER__DNS_NO_TROUBLE;
    muster__dns_outcome outcome;
    muster_error err = {0};
    bool has_failed;

    failing_malloc_arm(run, 1);
    outcome = muster__dns_packet_read((const uint8_t *)packet, size, "web.prod",
                                      type, &answer, &trouble, &err);
    has_failed = failing_malloc_disarm();
    if (has_failed && (outcome != MUSTER__DNS_UNKNOWN || answer != NULL ||
                       trouble != MUSTER__DNS_LOCAL)) {
        die(err.message, run);
    }
    if (!has_failed && outcome != MUSTER__DNS_ANSWER) {
        die(err.message, run);
    }
    muster__dns_answer_unref(answer);
    return has_failed;
}

static uint64_t run_all(void)
{
    uint64_t n = 0;

    for (uint64_t i = 1; read_packet(MUSTER__DNS_SRV, srv, sizeof srv - 1, i);
         i++) {
        n++;
    }
    for (uint64_t i = 1; read_packet(MUSTER__DNS_TXT, txt, sizeof txt - 1, i);
         i++) {
        n++;
    }
    return n;
}

int main(void)
{
    uint64_t n = run_all();
    size_t before;
    size_t after;

    printf("%llu allocations failed\n", (unsigned long long)n);
    before = mallinfo2().uordblks; /* what is kept from here on is lost */
    for (int i = 0; i < ROUNDS; i++) {
        (void)run_all();
    }
    after = mallinfo2().uordblks;
    if (after > before + 4096) {
        (void)fprintf(stderr, "%zu bytes leaked\n", after - before);
        return 1;
    }
    return n > 0 ? 0 : 1;
}
