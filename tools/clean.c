/* SPDX-License-Identifier: Apache-2.0 */
#include "clean.h"

#include <stdbool.h>

void clean_text(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++) {
        bool is_high = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;

        if (*at < ' ' || *at == 0x7f || is_high) {
            at[0] = '?';
            at[is_high ? 1 : 0] = '?';
        }
    }
}
