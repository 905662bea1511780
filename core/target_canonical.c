/* SPDX-License-Identifier: Apache-2.0 */
/* The text that equal targets share. */
#include "target_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What stands unescaped in a path, besides letters and digits. Brackets do,
 * because the parser takes them and people read them. */
#define KEPT_IN_PATH "-._~!$&'()*+,;=:@/[]"
#define KEPT_IN_OPTION "-._~!$'()*,;:@/[]?"

static char *put_text(char *to, const char *text)
{
    size_t length = strlen(text);

    memcpy(to, text, length);
    return to + length;
}

static char *put_encoded(char *to, const char *text, const char *kept)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x80 && (isalnum(c) || strchr(kept, c) != NULL)) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    return to;
}

static size_t room_for(const char *scheme, const char *path,
                       const muster__uri *uri)
{
    size_t size = strlen(scheme) + strlen(":///") + 3 * strlen(path) +
                  strlen(uri->canonical_authority) + 1;

    for (uint32_t i = 0; i < uri->n_options; i++) {
        size += strlen("?=") + 3 * strlen(uri->options[i].key) +
                3 * strlen(uri->options[i].value);
    }
    return size;
}

char *muster__uri_canonical(const char *scheme, const char *path,
                            bool is_absolute, const muster__uri *uri)
{
    char *text = malloc(room_for(scheme, path, uri));
    char *to = text;

    if (text == NULL) {
        return NULL;
    }
    to = put_text(to, scheme);
    to = put_text(to, ":");
    if (!is_absolute || *path == '/' || *uri->authority != '\0') {
        to = put_text(to, "//");
        to = put_text(to, uri->canonical_authority);
        to = put_text(to, is_absolute ? "" : "/");
    }
    to = put_encoded(to, path, KEPT_IN_PATH);
    for (uint32_t i = 0; i < uri->n_options; i++) {
        to = put_text(to, i == 0 ? "?" : "&");
        to = put_encoded(to, uri->options[i].key, KEPT_IN_OPTION);
        to = put_text(to, "=");
        to = put_encoded(to, uri->options[i].value, KEPT_IN_OPTION);
    }
    *to = '\0';
    return text;
}
