/* SPDX-License-Identifier: Apache-2.0 */
/* Formats json, the whole document, and ndjson, a row a line. */
#include "output.h"

#include <stdlib.h>
#include <string.h>

/* Digits of real numbers: none of ours is known better. */
#define PRECISION JSON_REAL_PRECISION(6)

/* JSON lets them stand as they are, and a terminal obeys them: 0x7f, and in
 * UTF-8 0xc2 0x80 to 0xc2 0x9f. They are in strings only. */
static void write_escaped(FILE *out, const char *text)
{
    while (*text != '\0') {
        const size_t n = strcspn(text, "\x7f\xc2");
        const unsigned char *at = (const unsigned char *)text + n;

        (void)fwrite(text, 1, n, out);
        text += n;
        if (at[0] == 0x7f) {
            (void)fputs("\\u007f", out);
            text++;
        } else if (at[0] == 0xc2 && at[1] <= 0x9f) {
            (void)fprintf(out, "\\u%04x", (unsigned)at[1]);
            text += 2;
        } else if (at[0] == 0xc2) {
            (void)fwrite(text, 1, 2, out);
            text += 2;
        }
    }
}

/* False: out of memory. */
static bool write_line(FILE *out, const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags | PRECISION);

    if (text == NULL) {
        return false;
    }
    write_escaped(out, text);
    (void)fputc('\n', out);
    free(text);
    return true;
}

bool output_write_json(FILE *out, output *self, const output_report *report)
{
    (void)self;
    return write_line(out, report->document, JSON_INDENT(2));
}

/* A row with the document's other members in front: it stands for itself. */
static json_t *line_of(const output_report *report, json_t *row)
{
    json_t *line = json_copy(report->document);

    if (line == NULL || json_object_del(line, report->rows) != 0 ||
        json_object_update(line, row) != 0) {
        json_decref(line);
        return NULL;
    }
    return line;
}

bool output_write_ndjson(FILE *out, output *self, const output_report *report)
{
    const json_t *rows = json_object_get(report->document, report->rows);
    size_t index;
    json_t *row;

    (void)self;
    json_array_foreach(rows, index, row)
    {
        json_t *line = line_of(report, row);
        const bool is_written =
            line != NULL && write_line(out, line, JSON_COMPACT);

        json_decref(line);
        if (!is_written) {
            return false;
        }
    }
    return true;
}
