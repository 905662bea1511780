/* SPDX-License-Identifier: Apache-2.0 */
#include "call_headers.h"

#include <stdlib.h>
#include <string.h>

struct muster__call_header {
    muster__call_header *next;
    const grpc_metadata *first; /* its name is the header's */
    char text[];
};

/* Of its values, each with the comma or the NUL behind it. */
static size_t size_of(const grpc_metadata *metadata, size_t n, const char *name)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        if (grpc_slice_str_cmp(metadata[i].key, name) == 0) {
            size += GRPC_SLICE_LENGTH(metadata[i].value) + 1;
        }
    }
    return size;
}

static void join(muster__call_header *header, const grpc_metadata *metadata,
                 size_t n, const char *name)
{
    char *end = header->text;

    for (size_t i = 0; i < n; i++) {
        const grpc_slice value = metadata[i].value;

        if (grpc_slice_str_cmp(metadata[i].key, name) != 0) {
            continue;
        }
        if (end == header->text) {
            header->first = &metadata[i];
        }
        memcpy(end, GRPC_SLICE_START_PTR(value), GRPC_SLICE_LENGTH(value));
        end += GRPC_SLICE_LENGTH(value);
        *end++ = ',';
    }
    end[-1] = '\0';
}

const char *muster__call_headers_find(muster__call_header **found,
                                      const grpc_metadata *metadata, size_t n,
                                      const char *name)
{
    muster__call_header *header = *found;
    size_t size;

    while (header != NULL &&
           grpc_slice_str_cmp(header->first->key, name) != 0) {
        header = header->next;
    }
    if (header != NULL) {
        return header->text;
    }
    size = size_of(metadata, n, name);
    header = size == 0 ? NULL : malloc(sizeof *header + size);
    if (header == NULL) {
        return NULL;
    }
    join(header, metadata, n, name);
    header->next = *found;
    *found = header;
    return header->text;
}

void muster__call_headers_fini(muster__call_header *found)
{
    while (found != NULL) {
        muster__call_header *next = found->next;

        free(found);
        found = next;
    }
}
