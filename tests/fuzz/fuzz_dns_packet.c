/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a reply to one of a few questions; the first byte chooses which.
 * What is said of it is whole and consistent. */
#include "fuzz.h"

#include <dns/packet.h>

static const muster__dns_type types[] = {MUSTER__DNS_A, MUSTER__DNS_AAAA,
                                         MUSTER__DNS_SRV, MUSTER__DNS_TXT};
static const char *const names[] = {"web.prod", "a.test", "", "l0"};

static void check_name(const char *name)
{
    FUZZ_CHECK(name != NULL);
    FUZZ_CHECK(strlen(name) < MUSTER__DNS_NAME_SIZE);
    for (; *name != '\0'; name++) {
        FUZZ_CHECK(*name < 'A' || *name > 'Z');
    }
}

static void check_records(const muster__dns_answer *answer, size_t size)
{
    uint8_t address_size = answer->type == MUSTER__DNS_A ? 4 : 16;

    FUZZ_CHECK(answer->n > 0 && answer->n <= size / 11);
    FUZZ_CHECK((answer->services != NULL) == (answer->type == MUSTER__DNS_SRV));
    FUZZ_CHECK((answer->texts != NULL) == (answer->type == MUSTER__DNS_TXT));
    FUZZ_CHECK((answer->addresses == NULL) ==
               (answer->services != NULL || answer->texts != NULL));
    FUZZ_CHECK(answer->ttl_s <= INT32_MAX);
    for (size_t i = 0; i < answer->n; i++) {
        if (answer->services != NULL) {
            check_name(answer->services[i].target);
            FUZZ_CHECK(answer->services[i].port != 0 ||
                       *answer->services[i].target == '\0');
        } else if (answer->texts != NULL) {
            FUZZ_CHECK(strlen(answer->texts[i]) < size);
        } else {
            FUZZ_CHECK(answer->addresses[i].size == address_size);
        }
    }
}

static void check_extras(const muster__dns_answer *answer, size_t size)
{
    FUZZ_CHECK(answer->n_extras <= size / 11);
    FUZZ_CHECK(answer->n_extras == 0 || answer->type == MUSTER__DNS_SRV);
    for (size_t i = 0; i < answer->n_extras; i++) {
        check_name(answer->extras[i].owner);
        FUZZ_CHECK(answer->extras[i].address.size == 4 ||
                   answer->extras[i].address.size == 16);
    }
}

static void check_answer(const muster__dns_answer *answer,
                         muster__dns_outcome outcome, size_t size)
{
    FUZZ_CHECK(answer->n_references == 1);
    FUZZ_CHECK(answer->outcome == outcome);
    if (outcome == MUSTER__DNS_ANSWER) {
        check_records(answer, size);
    } else {
        FUZZ_CHECK(outcome == MUSTER__DNS_NO_SUCH_NAME && answer->n == 0);
    }
    check_extras(answer, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned which = size > 0 ? data[0] : 0;
    muster__dns_type type = types[which % 4];
    uint8_t *packet = (uint8_t *)fuzz_text(data, size);
    size_t packet_size = size > 0 ? size - 1 : 0;
    muster__dns_answer *answer = NULL;
    muster__dns_trouble trouble = MUSTER__DNS_NO_TROUBLE;
    muster__dns_outcome outcome;
    muster_error err = {0};

    /* At the start, so that the end is the end of the memory, but for a NUL. */
    memmove(packet, packet + (size > 0), packet_size);
    packet = realloc(packet, packet_size + 1);
    FUZZ_CHECK(packet != NULL);
    outcome = muster__dns_packet_read(packet, packet_size, names[which / 4 % 4],
                                      type, &answer, &trouble, &err);
    if (outcome == MUSTER__DNS_UNKNOWN) {
        FUZZ_CHECK(answer == NULL && trouble != MUSTER__DNS_NO_TROUBLE);
        FUZZ_CHECK(strlen(err.message) > 0);
    } else {
        FUZZ_CHECK(answer->type == type);
        check_answer(answer, outcome, packet_size);
    }
    muster__dns_answer_unref(answer);
    free(packet);
    return 0;
}
