/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as an entry: what the plugins accept, the core accepts. */
#include "fuzz.h"

#include <endpoint_list.h>
#include <static/entry.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    size_t length = strlen(text);
    muster_endpoint endpoint;
    const char *at = NULL;
    muster__list *list;
    muster_error err;

    if (entry_parse(text, &endpoint, &at, &err) == MUSTER_OK) {
        FUZZ_CHECK(muster__list_copy(&endpoint, 1, sizeof endpoint, &list,
                                     &err) == MUSTER_OK);
        muster__list_destroy(list);
    } else {
        FUZZ_CHECK(at >= text && at <= text + length);
    }
    free(text);
    return 0;
}
