/* SPDX-License-Identifier: Apache-2.0 */
/* One value as text, for tables and names. */
#include "output.h"

#include <stdint.h>
#include <stdlib.h>

#include "clean.h"

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
    } else if (json_is_boolean(value)) {
        (void)fputs(json_is_true(value) ? "yes" : "no", out);
    } else if (!write_members(out, value)) {
        (void)fputc('-', out);
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
    clean_text(text);
    return text;
}
