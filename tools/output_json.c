/* SPDX-License-Identifier: Apache-2.0 */
/* Formats json, the whole document, and ndjson, a row a line. */
#include "output.h"

/* Digits of real numbers: none of ours is known better. */
#define PRECISION JSON_REAL_PRECISION(6)

bool output_write_json(FILE *out, output *self, const output_report *report)
{
    (void)self;
    (void)json_dumpf(report->document, out, JSON_INDENT(2) | PRECISION);
    (void)fputc('\n', out);
    return true;
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

        if (line == NULL) {
            return false;
        }
        (void)json_dumpf(line, out, JSON_COMPACT | PRECISION);
        (void)fputc('\n', out);
        json_decref(line);
    }
    return true;
}
