/* SPDX-License-Identifier: Apache-2.0 */
/* muster top: what the endpoints of a process get to do, once a second. */
#include <stdlib.h>

#include "../admin/socket_options.h"
#include "../duration.h"
#include "terminal.h"
#include "ways.h"

enum { OPTION_INTERVAL = 256, OPTION_SORT, OPTION_PLAIN, MIN_INTERVAL_MS = 50 };

typedef struct arguments {
    socket_options source;
    uint64_t interval_ms;
    uint64_t count;
    top_order order;
    bool is_plain;
} arguments;

static const char doc[] =
    "Show what the endpoints of a process get to do: calls a second and in "
    "flight, states and failures, target by target, once a second on the whole "
    "terminal. Elsewhere, and with --plain, each answer is printed below the "
    "one before. The process has an admin socket when it was started with "
    "MUSTER_ADMIN=unix:PATH, or called muster_admin_listen().\v"
    "Keys: q quits; c, i, s and a sort by calls, in flight, state and address; "
    "arrows, PgUp, PgDn, Home and End scroll.\n"
    "\n"
    "Examples:\n"
    "  MUSTER_ADMIN=unix:/run/shop/muster.%p shop &\n"
    "  muster top --socket /run/shop/muster.$!\n"
    "  muster top --socket /run/shop/muster.$! --sort state --interval 5s\n"
    "  muster top --socket /run/shop/muster.$! -o ndjson --count 2 |\n"
    "      jq 'select(.line == \"endpoint\" and .calls_per_s != null)'\n"
    "\n"
    "A rate, \"-\" in the first answer, is of the time since the answer "
    "before. "
    "Calls are counted when an endpoint is picked. The bar of a share is full "
    "for the busiest endpoint of a target.\n"
    "\n"
    "Exit status: 0 it was quit, or the count is reached; 2 usage; 4 there is "
    "no such socket, or it may not be used, or nobody answers; 5 what answers "
    "is no muster.";

static const struct argp_option entries[] = {
    {"interval", OPTION_INTERVAL, "TIME", 0, "Ask so long apart (default 1s)",
     0},
    {"sort", OPTION_SORT, "KEY", 0,
     "calls (the default), inflight, state or address", 0},
    {"count", 'n', "N", 0, "End after N answers", 0},
    {"plain", OPTION_PLAIN, NULL, 0, "Print lines, also on a terminal", 0},
    {0},
};

static void read_interval(arguments *self, const char *text,
                          struct argp_state *state)
{
    if (!duration_parse(text, &self->interval_ms) ||
        self->interval_ms < MIN_INTERVAL_MS) {
        argp_error(state, "no time \"%s\": say 5s, 1m, or at least 50ms", text);
    }
}

static void read_count(arguments *self, const char *text,
                       struct argp_state *state)
{
    char *end = NULL;

    self->count = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || self->count == 0) {
        argp_error(state, "no count \"%s\": a number from 1", text);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->source;
        return 0;
    case OPTION_INTERVAL:
        read_interval(self, text, state);
        return 0;
    case OPTION_SORT:
        if (!top_order_parse(text, &self->order)) {
            argp_error(state, "no key \"%s\": calls, inflight, state, address",
                       text);
        }
        return 0;
    case 'n':
        read_count(self, text, state);
        return 0;
    case OPTION_PLAIN:
        self->is_plain = true;
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

static bool is_for_a_screen(const arguments *self)
{
    return !self->is_plain &&
           self->source.common.output.format == OUTPUT_TABLE &&
           top_terminal_is_there();
}

exit_code command_top(int argc, char **argv)
{
    arguments self = {.interval_ms = 1000, .count = UINT64_MAX};
    top_show show = {.interval_ms = 0};
    exit_code code;

    socket_options_init(&self.source);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    show = (top_show){
        .tracker = {.timeout_ms = self.source.timeout_ms, .order = self.order},
        .output = self.source.common.output,
        .interval_ms = self.interval_ms,
        .count = self.count};
    code = socket_options_connect(&self.source, &show.tracker.path,
                                  &show.tracker.client);
    if (code == EXIT_CODE_OK) {
        code = is_for_a_screen(&self) ? top_show_screen(&show)
                                      : top_show_plain(&show);
    }
    top_tracker_fini(&show.tracker);
    return code;
}
