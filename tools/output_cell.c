/* SPDX-License-Identifier: Apache-2.0 */
/* One value as text, for tables and names. */
#include "output.h"

#include <stdint.h>
#include <stdlib.h>

/* Keys and values of an object as "a=1,b=2", array members as "1,2". */
static bool write_members(FILE *out, const json_t *value)
{
    const char *separator = "";
    const char *key;
    size_t index;
    json_t *member;

    json_array_foreach(value, index, member)
    {
        (void)fprintf(out, "%s%s", separator, json_string_value(member));
        separator = ",";
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        (void)fprintf(out, "%s%s=%s", separator, key,
                      json_string_value(member));
        separator = ",";
    }
    return separator[0] != '\0';
}

static void write_value(FILE *out, const json_t *value)
{
    if (json_string_length(value) > 0) {
        (void)fputs(json_string_value(value), out);
    } else if (json_is_integer(value)) {
        (void)fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)fprintf(out, "%.4g", json_real_value(value));
    } else if (!write_members(out, value)) {
        (void)fputc('-', out);
    }
}

/* What comes from outside may not steer the terminal: no control characters,
 * nor those of UTF-8 beyond ASCII (0xc2 0x80 to 0xc2 0x9f). */
static void hide_controls(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++) {
        bool is_high = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;

        if (*at < ' ' || *at == 0x7f || is_high) {
            at[0] = '?';
            at[is_high ? 1 : 0] = '?';
        }
    }
}

char *output_cell(const json_t *row, const char *key)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        return NULL;
    }
    write_value(out, json_object_get(row, key));
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    hide_controls(text);
    return text;
}
