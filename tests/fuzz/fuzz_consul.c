/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an answer of a Consul agent: the core takes what is made of
 * them. */
#include "fuzz.h"

#include <address.h>
#include <consul/entries.h>

static void check_endpoint(const muster_endpoint *endpoint)
{
    char canonical[MUSTER__ADDRESS_SIZE];
    size_t length;

    FUZZ_CHECK(muster__address_canonical(endpoint->address, canonical, &length,
                                         NULL) == MUSTER_OK);
    FUZZ_CHECK(endpoint->zone == NULL ||
               muster__is_clean_text(endpoint->zone, strlen(endpoint->zone)));
    FUZZ_CHECK(endpoint->n_attributes <= 1024);
    for (uint32_t i = 0; i < endpoint->n_attributes; i++) {
        const char *key = endpoint->attributes[i].key;
        const char *value = endpoint->attributes[i].value;

        FUZZ_CHECK(muster__is_clean_text(key, strlen(key)) && *key != '\0');
        FUZZ_CHECK(muster__utf8_end(value, strlen(value)) == strlen(value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const muster__consul_view view = {.address = size % 2 == 0 ? "wan" : NULL,
                                      .has_all = size % 3 == 0};
    muster__consul_entries entries = {.n_endpoints = 0};
    char *text = fuzz_text(data, size);
    muster_error err = {.message = ""};
    muster_status status =
        muster__consul_entries_parse(text, size, &view, &entries, &err);

    FUZZ_CHECK(status == MUSTER_OK || status == MUSTER_PROTOCOL);
    FUZZ_CHECK(status == MUSTER_OK || strlen(err.message) > 0);
    if (status == MUSTER_OK) {
        muster__consul_entries_limit(&entries, 3, size);
        FUZZ_CHECK(entries.n_endpoints <= 3);
    }
    for (size_t i = 0; i < entries.n_endpoints; i++) {
        check_endpoint(&entries.endpoints[i]);
    }
    muster__consul_entries_clear(&entries);
    free(text);
    return 0;
}
