/* SPDX-License-Identifier: Apache-2.0 */
/* Format table: aligned columns for people. */
#include "output.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 8, GAP = 2 };

static int wider(int width, const char *text)
{
    int length = (int)strlen(text);

    return length > width ? length : width;
}

static bool measure_row(const output_report *report, const json_t *row,
                        int *widths)
{
    for (size_t i = 0; report->columns[i].header != NULL; i++) {
        char *cell = output_cell(row, report->columns[i].key);

        if (cell == NULL) {
            return false;
        }
        widths[i] = wider(widths[i], cell);
        free(cell);
    }
    return true;
}

/* The last column is not padded: no blanks at the end of a line. */
static void write_cell(FILE *out, const output_report *report, size_t column,
                       int width, const char *text)
{
    if (report->columns[column + 1].header == NULL) {
        (void)fprintf(out, "%s\n", text);
    } else {
        (void)fprintf(out, "%-*s", width + GAP, text);
    }
}

static bool write_row(FILE *out, const output_report *report, const json_t *row,
                      const int *widths)
{
    for (size_t i = 0; report->columns[i].header != NULL; i++) {
        char *cell = output_cell(row, report->columns[i].key);

        if (cell == NULL) {
            return false;
        }
        write_cell(out, report, i, widths[i], cell);
        free(cell);
    }
    return true;
}

static void write_header(FILE *out, const output_report *report,
                         const int *widths)
{
    for (size_t i = 0; report->columns[i].header != NULL; i++) {
        write_cell(out, report, i, widths[i], report->columns[i].header);
    }
}

bool output_write_table(FILE *out, output *self, const output_report *report)
{
    const json_t *rows = json_object_get(report->document, report->rows);
    int widths[MAX_COLUMNS] = {0};
    size_t index;
    const json_t *row;

    for (size_t i = 0; report->columns[i].header != NULL; i++) {
        widths[i] = wider(report->columns[i].width,
                          self->is_header_due ? report->columns[i].header : "");
    }
    json_array_foreach(rows, index, row)
    {
        if (!measure_row(report, row, widths)) {
            return false;
        }
    }
    if (self->is_header_due) {
        write_header(out, report, widths);
        self->is_header_due = false;
    }
    json_array_foreach(rows, index, row)
    {
        if (!write_row(out, report, row, widths)) {
            return false;
        }
    }
    return true;
}
