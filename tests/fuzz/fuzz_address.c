/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as an address: what is accepted has a stable form of bounded size.
 */
#include "fuzz.h"

#include <address.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char first[MUSTER__ADDRESS_SIZE];
    char second[MUSTER__ADDRESS_SIZE];
    size_t length;
    size_t again;
    muster_error err;

    if (muster__address_canonical(text, first, &length, &err) == MUSTER_OK) {
        FUZZ_CHECK(length == strlen(first));
        FUZZ_CHECK(length <= strlen(text) + MUSTER__ADDRESS_GROWTH);
        FUZZ_CHECK(muster__address_canonical(first, second, &again, &err) ==
                   MUSTER_OK);
        FUZZ_CHECK(strcmp(first, second) == 0);
    } else {
        FUZZ_CHECK(strlen(err.message) > 0);
    }
    free(text);
    return 0;
}
