/* SPDX-License-Identifier: Apache-2.0 */
/* muster config check: whether a file is a valid gRPC service config. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/service_config.h>

#include "command.h"
#include "file.h"
#include "model.h"
#include "options.h"

typedef struct arguments {
    options options;
    const char *action;
    const char *file;
} arguments;

static const char doc[] =
    "Check a gRPC service config, as a channel would. FILE may be \"-\": "
    "standard input. Without a problem nothing is printed.\v"
    "Examples:\n"
    "  muster config check service_config.json\n"
    "  muster resolve dns:///web.test -o json | jq .service_config |\n"
    "  muster config check -\n";

static void take(arguments *self, char *text, struct argp_state *state)
{
    if (self->action == NULL) {
        if (strcmp(text, "check") != 0) {
            argp_error(state, "nothing but \"check\" can be done, not \"%s\"",
                       text);
        }
        self->action = text;
    } else if (self->file == NULL) {
        self->file = text;
    } else {
        argp_error(state, "one FILE only, not \"%s\" too", text);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->options;
        return 0;
    case ARGP_KEY_ARG:
        take(self, text, state);
        return 0;
    case ARGP_KEY_END:
        if (self->file == NULL) {
            argp_error(state, "check which FILE?");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    NULL, parse, "check FILE", doc, options_children, NULL, NULL};

static const output_column columns[] = {
    {"LINE", "line", 0},
    {"PATH", "path", 0},
    {"EXPECTED", "text", 0},
    {NULL, NULL, 0},
};

static const char *const name[] = {"path", NULL};

/* ---- checking ---- */

typedef struct findings {
    json_t *problems;
    bool is_out_of_memory; /* not all are there */
} findings;

static void add(void *arg, const muster_config_problem *problem)
{
    findings *self = arg;
    json_t *row = json_pack("{s:i, s:i, s:s, s:s}", "line", problem->line,
                            "column", problem->column, "path", problem->path,
                            "text", problem->text);

    if (json_array_append_new(self->problems, row) != 0) {
        self->is_out_of_memory = true;
    }
}

static void print_problems(const char *file, const json_t *problems)
{
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *row = json_array_get(problems, i);
        const char *path = json_string_value(json_object_get(row, "path"));

        command_say("%s:%d:%d: %s%s%s", file,
                    (int)json_integer_value(json_object_get(row, "line")),
                    (int)json_integer_value(json_object_get(row, "column")),
                    path, path[0] == '\0' ? "" : ": ",
                    json_string_value(json_object_get(row, "text")));
    }
}

static exit_code report(arguments *self, exit_code code, json_t *problems)
{
    json_t *document;
    exit_code written;

    if (self->options.output.format == OUTPUT_TABLE ||
        self->options.output.format == OUTPUT_NAME) {
        print_problems(self->file, problems);
        return code;
    }
    document =
        json_pack("{s:i, s:o, s:O}", "schema_version", OUTPUT_SCHEMA_VERSION,
                  "file", model_text(self->file), "problems", problems);
    written = output_write(
        &self->options.output,
        &(const output_report){document, "problems", columns, name});
    json_decref(document);
    return code != EXIT_CODE_OK ? code : written;
}

/* It was not judged: its policy's plugin cannot be loaded, or worse. */
static exit_code code_of(muster_status status)
{
    bool is_plugin = status == MUSTER_ABI || status == MUSTER_PERMISSION ||
                     status == MUSTER_UNAVAILABLE;

    return is_plugin ? EXIT_CODE_PLUGIN : EXIT_CODE_FAILURE;
}

static exit_code check(arguments *self, const char *text, size_t size)
{
    findings found = {json_array(), false};
    muster_error err = {.code = MUSTER_OK};
    muster_status status =
        muster_service_config_check(text, size, add, &found, &err);
    exit_code code = EXIT_CODE_OK;

    if (found.is_out_of_memory) {
        code = command_fail(EXIT_CODE_FAILURE, self->file, "out of memory");
    } else if (status == MUSTER_OK || status == MUSTER_INVAL) {
        code = status == MUSTER_OK ? EXIT_CODE_OK : EXIT_CODE_DATA;
        code = report(self, code, found.problems);
    } else {
        code = command_fail(code_of(status), self->file, err.message);
    }
    json_decref(found.problems);
    return code;
}

exit_code command_config(int argc, char **argv)
{
    arguments self = {.action = NULL};
    size_t size = 0;
    char *text;
    exit_code code;

    options_init(&self.options);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    text = file_read(self.file, &size);
    if (text == NULL) {
        return command_fail(EXIT_CODE_SOURCE, self.file, strerror(errno));
    }
    code = check(&self, text, size);
    free(text);
    return code;
}
