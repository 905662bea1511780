/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file's content: what is accepted, the core accepts. */
#include "fuzz.h"

#include <endpoint_list.h>
#include <file/content.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    muster__file_content content = {0};
    muster__list *list;
    muster_error err;

    if (muster__file_parse(text, size, &content, &err) == MUSTER_OK) {
        FUZZ_CHECK(muster__list_copy(content.endpoints, content.n_endpoints,
                                     sizeof *content.endpoints, &list,
                                     &err) == MUSTER_OK);
        muster__list_destroy(list);
    } else {
        FUZZ_CHECK(strlen(err.message) > 0);
    }
    muster__file_clear(&content);
    free(text);
    return 0;
}
