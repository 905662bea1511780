/* SPDX-License-Identifier: Apache-2.0 */
/* What a file says, in whichever of its two formats. */
#include "content.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *muster__file_allocate(muster__file_content *content, size_t n,
                            size_t size)
{
    muster__file_block *block;

    if (n > (SIZE_MAX - sizeof *block) / size) {
        return NULL;
    }
    block = calloc(1, sizeof *block + n * size);
    if (block == NULL) {
        return NULL;
    }
    block->next = content->blocks;
    content->blocks = block;
    return block->memory;
}

muster_status muster__file_parse(char *text, size_t length,
                                 muster__file_content *content,
                                 muster_error *err)
{
    size_t start;

    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* a byte order mark */
        length -= 3;
    }
    start = strspn(text, " \t\r\n");
    if (text[start] == '{' || text[start] == '[') {
        return muster__file_parse_json(text, length, content, err);
    }
    return muster__file_parse_lines(text, length, content, err);
}

void muster__file_clear(muster__file_content *content)
{
    while (content->blocks != NULL) {
        muster__file_block *block = content->blocks;

        content->blocks = block->next;
        free(block);
    }
    json_decref(content->root);
    free(content->service_config);
    memset(content, 0, sizeof *content);
}
