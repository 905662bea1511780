/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a verb's data on stdout, in the format that the user chose. */
#ifndef MUSTER_TOOLS_OUTPUT_H
#define MUSTER_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "command.h"

/* The version of the JSON documents: it grows when a member changes or goes,
 * not when one is added. README.md describes them. */
enum { OUTPUT_SCHEMA_VERSION = 1 };

typedef enum output_format {
    OUTPUT_TABLE,
    OUTPUT_JSON,
    OUTPUT_NDJSON,
    OUTPUT_NAME
} output_format;

typedef struct output {
    output_format format;
    bool is_header_due; /* a table's, once */
} output;

/* A column shows the row's member called key; "-" when there is none. */
typedef struct output_column {
    const char *header;
    const char *key;
    int width; /* at least; for tables that go on */
} output_column;

/* What a verb has to say: a document, with an array of rows in it. */
typedef struct output_report {
    json_t *document; /* an object, borrowed; NULL reads as out of memory */
    const char *rows; /* the key of its array of objects */
    const output_column *columns; /* of the table; the last header is NULL */
    const char *const *name;      /* keys of what -o name prints, then NULL */
} output_report;

/* False, with *ret_format untouched, when there is no such format. */
bool output_format_parse(const char *text, output_format *ret_format);

/* Prints and flushes. EXIT_CODE_FAILURE when that fails, said on stderr (but
 * quietly when the reader has gone away). */
exit_code output_write(output *self, const output_report *report);

/* The end of what is written to stdout otherwise: flushes, as output_write().
 */
exit_code output_flush(void);

/* The writers. False: out of memory. */
bool output_write_table(FILE *out, output *self, const output_report *report);
bool output_write_json(FILE *out, output *self, const output_report *report);
bool output_write_ndjson(FILE *out, output *self, const output_report *report);
bool output_write_name(FILE *out, output *self, const output_report *report);

/* The text of a row's member: numbers as digits, arrays joined with ",", and
 * "-" for none. The caller's to free; NULL when out of memory. */
char *output_cell(const json_t *row, const char *key);

#endif
