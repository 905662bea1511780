/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

#include <string.h>

/* -1: none of the alphabet. */
static int digit_of(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    return at == NULL ? -1 : (int)(at - alphabet);
}

size_t muster__base64_decode(const char *text, uint8_t *data, size_t size,
                             const char **ret_end)
{
    uint32_t value = 0;
    unsigned n_bits = 0;
    size_t length = 0;

    for (; *text != '\0' && length < size; text++) {
        const int digit = digit_of(*text);

        if (digit < 0) {
            if (strchr(" \t\r\n", *text) == NULL) {
                break;
            }
            continue;
        }
        value = (value << 6 | (uint32_t)digit) & 0xffffff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            data[length++] = (uint8_t)(value >> n_bits);
        }
    }
    *ret_end = text;
    return length;
}
