/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of ours in reading a DNS reply fails once: that is said,
 * nothing crashes or is lost, and no server is blamed. Those of c-ares are for
 * resolvers.test_dns_packet_bad. */
#include <packet.h>

#include <stdbool.h>
#include <stdint.h>

#include "failing_malloc.h"
#include "passes.h"

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

typedef struct sample {
    muster__dns_type type;
    const char *packet;
    size_t size;
} sample;

/* Whether the countdown-th allocation was reached. */
static bool read_packet(void *arg, const passes_failure *failure)
{
    const sample *from = arg;
    muster__dns_answer *answer = NULL;
    muster__dns_trouble trouble = MUSTER__DNS_NO_TROUBLE;
    muster__dns_outcome outcome;
    muster_error err = {0};
    bool has_failed;

    failing_malloc_arm(failure->countdown, failure->n);
    outcome = muster__dns_packet_read((const uint8_t *)from->packet, from->size,
                                      "web.prod", from->type, &answer, &trouble,
                                      &err);
    has_failed = failing_malloc_disarm();
    if (has_failed && (outcome != MUSTER__DNS_UNKNOWN || answer != NULL ||
                       trouble != MUSTER__DNS_LOCAL)) {
        passes_die(err.message);
    }
    if (!has_failed && outcome != MUSTER__DNS_ANSWER) {
        passes_die(err.message);
    }
    muster__dns_answer_unref(answer);
    return has_failed;
}

static uint64_t run_all(void)
{
    static sample services = {MUSTER__DNS_SRV, srv, sizeof srv - 1};
    static sample texts = {MUSTER__DNS_TXT, txt, sizeof txt - 1};

    return passes_count(read_packet, &services) +
           passes_count(read_packet, &texts);
}

int main(void)
{
    return passes_repeat(run_all, ROUNDS);
}
