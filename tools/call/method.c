/* SPDX-License-Identifier: Apache-2.0 */
#include "method.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only printable ASCII, as in the paths of HTTP/2. */
bool method_is_valid(const char *text)
{
    const char *slash;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return false;
        }
    }
    text += text[0] == '/' ? 1 : 0;
    slash = strrchr(text, '/');
    return slash != NULL && slash != text && slash[1] != '\0';
}

char *method_full(const char *text)
{
    char *method = malloc(strlen(text) + 2);

    if (method != NULL) {
        (void)sprintf(method, "%s%s", text[0] == '/' ? "" : "/", text);
    }
    return method;
}
