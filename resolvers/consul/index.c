/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of X-Consul-Index. */
#include "index.h"

#include <stddef.h>

uint64_t muster__consul_index_parse(const char *text)
{
    uint64_t number = 0;

    if (text == NULL || *text == '\0') {
        return 1;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (number > (UINT64_MAX - digit) / 10) {
            return 1;
        }
        number = number * 10 + digit;
    }
    return *text == '\0' && number > 0 ? number : 1;
}

uint64_t muster__consul_index_next(uint64_t sent, uint64_t got)
{
    return got < sent ? 0 : got;
}
