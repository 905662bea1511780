/* SPDX-License-Identifier: Apache-2.0 */
/* muster channels: what the channels of a process do now. */
#include <stdio.h>
#include <stdlib.h>

#include "../duration.h"
#include "../model.h"
#include "channel_rows.h"
#include "socket_options.h"

enum { OPTION_INTERVAL = 256 };

typedef struct arguments {
    socket_options source;
    bool has_headers;
    bool is_watching;
    uint64_t interval_ms;
    uint64_t count; /* 0: not given */
} arguments;

static const char doc[] =
    "Show what the channels of a process do now: their states, policies and "
    "lists, and each of their endpoints. The process has an admin socket when "
    "it was started with MUSTER_ADMIN=unix:PATH, or called "
    "muster_admin_listen().\v"
    "Examples:\n"
    "  MUSTER_ADMIN=unix:/run/shop/muster.%p shop &\n"
    "  muster channels --socket /run/shop/muster.$!\n"
    "  muster channels --socket /run/shop/muster.$! --watch --interval 5s\n"
    "  muster channels --socket /run/shop/muster.$! -o ndjson |\n"
    "      jq 'select(.list.stale) | .target'\n"
    "\n"
    "Exit status: 0 it answered; 2 usage; 4 there is no such socket, or it may "
    "not be used, or nobody answers; 5 what answers is no muster.";

static const struct argp_option entries[] = {
    {"watch", 'w', NULL, 0, "Ask again and again", 0},
    {"interval", OPTION_INTERVAL, "TIME", 0,
     "With --watch: so long apart (default 1s)", 0},
    {"count", 'n', "N", 0, "With --watch: N times", 0},
    {0},
};

static void read_count(arguments *self, const char *text,
                       struct argp_state *state)
{
    char *end = NULL;

    self->count = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || self->count == 0) {
        argp_error(state, "no count \"%s\"", text);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->source;
        return 0;
    case 'w':
        self->is_watching = true;
        return 0;
    case 'n':
        read_count(self, text, state);
        return 0;
    case OPTION_INTERVAL:
        /* Without a pause it would ask all the time. */
        if (!duration_parse(text, &self->interval_ms) ||
            self->interval_ms == 0) {
            argp_error(state, "no time \"%s\": say 5s, 250ms or 1m", text);
        }
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "no argument \"%s\"", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    entries, parse, "", doc, socket_options_children, NULL, NULL};

/* One of two tables. */
static exit_code print_rows(arguments *self, json_t *rows,
                            const output_column *columns)
{
    json_t *document = json_pack("{s:o}", "rows", rows);
    const output_report report = {document, "rows", columns, NULL};
    exit_code code;

    self->source.common.output.is_header_due = self->has_headers;
    code = output_write(&self->source.common.output, &report);
    json_decref(document);
    return code;
}

static exit_code print_tables(arguments *self, const json_t *answer,
                              bool is_first)
{
    const json_t *channels = json_object_get(answer, "channels");
    exit_code code;

    if (!is_first) {
        (void)puts("");
    }
    code = print_rows(self, channel_rows(channels), channel_row_columns);
    if (code == EXIT_CODE_OK && json_array_size(channels) > 0) {
        (void)puts("");
        code = print_rows(self, endpoint_rows(channels), endpoint_row_columns);
    }
    return code;
}

static exit_code print(arguments *self, const char *path, json_t *answer,
                       bool is_first)
{
    static const char *const name[] = {"target", NULL};
    json_t *document;
    exit_code code;

    if (self->source.common.output.format == OUTPUT_TABLE) {
        return print_tables(self, answer, is_first);
    }
    document = json_pack("{s:i, s:o}", "schema_version", OUTPUT_SCHEMA_VERSION,
                         "socket", model_text(path));
    if (json_object_update(document, answer) != 0) {
        json_decref(document);
        document = NULL;
    }
    code =
        output_write(&self->source.common.output,
                     &(const output_report){document, "channels", NULL, name});
    json_decref(document);
    return code;
}

static exit_code run(arguments *self, const char *path, admin_client *client)
{
    const uint64_t forever = self->count == 0 ? UINT64_MAX : self->count;
    const uint64_t count = self->is_watching ? forever : 1;
    exit_code code = EXIT_CODE_OK;
    muster_status status = MUSTER_OK;
    muster_error err;

    for (uint64_t i = 0; code == EXIT_CODE_OK && i < count; i++) {
        json_t *answer = NULL;

        if (i > 0) {
            status = admin_client_pause(client, self->interval_ms, &err);
        }
        if (status == MUSTER_OK) {
            status = admin_client_ask_channels(client, self->source.timeout_ms,
                                               &answer, &err);
        }
        if (status != MUSTER_OK) {
            return socket_options_fail(path, status, &err);
        }
        code = print(self, path, answer, i == 0);
        json_decref(answer);
    }
    return code;
}

exit_code command_channels(int argc, char **argv)
{
    arguments self = {.interval_ms = 1000};
    admin_client *client = NULL;
    const char *path = NULL;
    exit_code code;

    socket_options_init(&self.source);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    self.has_headers = self.source.common.output.is_header_due;
    code = socket_options_connect(&self.source, &path, &client);
    if (code == EXIT_CODE_OK) {
        code = run(&self, path, client);
    }
    admin_client_destroy(client);
    return code;
}
