/* SPDX-License-Identifier: Apache-2.0 */
/* Format name: a row a line, and of it only what names it. */
#include "output.h"

#include <stdlib.h>

static bool write_row(FILE *out, const output_report *report, const json_t *row)
{
    for (size_t i = 0; report->name[i] != NULL; i++) {
        char *cell = output_cell(row, report->name[i]);

        if (cell == NULL) {
            return false;
        }
        (void)fprintf(out, "%s%s", i > 0 ? " " : "", cell);
        free(cell);
    }
    (void)fputc('\n', out);
    return true;
}

bool output_write_name(FILE *out, output *self, const output_report *report)
{
    const json_t *rows = json_object_get(report->document, report->rows);
    size_t index;
    const json_t *row;

    (void)self;
    json_array_foreach(rows, index, row)
    {
        if (!write_row(out, report, row)) {
            return false;
        }
    }
    return true;
}
