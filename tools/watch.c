/* SPDX-License-Identifier: Apache-2.0 */
/* muster watch: the changes of a target's endpoints, as they come. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "changes.h"
#include "command.h"
#include "duration.h"
#include "listener.h"
#include "model.h"
#include "on_change.h"
#include "options.h"

typedef struct watching {
    options options;
    const char *target;
    char **command; /* of the user's, then NULL; or NULL */
    uint64_t for_ms;
    uint64_t count; /* of the answers still to come */
    uint64_t sequence;
    json_t *endpoints; /* as last printed; NULL: none yet */
    json_t *failure;   /* the source's, if that is what it said last */
    exit_code code;    /* of the last failure while there is no list */
    bool is_strict;
    bool is_stale; /* the last answer was no list of the source's */
} watching;

enum { OPTION_FOR = 'f', OPTION_COUNT = 'n', OPTION_STRICT = 256 };

static const struct argp_option entries[] = {
    {"for", OPTION_FOR, "TIME", 0, "Stop after TIME", 0},
    {"count", OPTION_COUNT, "N", 0, "Stop after N answers of the source", 0},
    {"strict", OPTION_STRICT, NULL, 0,
     "Exit with 7 when the list is stale at the end", 0},
    {0},
};

static const char doc[] =
    "Follow the endpoints of TARGET: first all of them, then each change, "
    "failure and recovery.\v"
    "Examples:\n"
    "  muster watch file:///etc/backends\n"
    "  muster watch file:///etc/backends -o ndjson --for 10m\n"
    "  muster watch file:///etc/backends -o name --count 1\n"
    "  muster watch consul:///web -- sh -c 'jq -r .endpoints[].address "
    ">backends'\n"
    "\n"
    "COMMAND is run for each answer, one after the other, with the document of "
    "\"-o json\" on its stdin, to which \"endpoints\", the whole list, is "
    "added. MUSTER_EVENT is list, error or recovered; MUSTER_TARGET and "
    "MUSTER_SEQUENCE are the document's.\n"
    "\n"
    "Exit status: 0 there was a list; 7 with --strict, the source has failed "
    "since, or lists nothing; otherwise as that of \"muster resolve\".";

static error_t parse_count(watching *self, const char *text,
                           struct argp_state *state)
{
    char *end = NULL;
    unsigned long long count = strtoull(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || count == 0 ||
        count > UINT32_MAX) {
        argp_error(state, "no count \"%s\": a number from 1", text);
    }
    self->count = count;
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    watching *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->options;
        return 0;
    case OPTION_FOR:
        if (!duration_parse(text, &self->for_ms)) {
            argp_error(state, "no time \"%s\": say 5s, 250ms or 1m", text);
        }
        return 0;
    case OPTION_COUNT:
        return parse_count(self, text, state);
    case OPTION_STRICT:
        self->is_strict = true;
        return 0;
    case ARGP_KEY_ARG:
        if (self->target != NULL && state->quoted != 0) {
            self->command = &state->argv[state->next - 1];
            state->next = state->argc; /* the rest is the command's */
            return 0;
        }
        return options_target(key, text, state, &self->target);
    default:
        return options_target(key, text, state, &self->target);
    }
}

static const struct argp argp = {
    entries, parse, "TARGET [-- COMMAND...]", doc, options_children,
    NULL,    NULL};

/* Wide enough for most: the lines of later changes stand below those before. */
static const output_column columns[] = {
    {"TIME", "time", 24},        {"CHANGE", "type", 9},
    {"ADDRESS", "address", 21},  {"WEIGHT", "weight", 6},
    {"PRIORITY", "priority", 8}, {"ZONE", "zone", 4},
    {"DETAIL", "message", 0},    {NULL, NULL, 0},
};

static const char *const name[] = {"type", "address", NULL};

/* RFC 3339, in UTC, with milliseconds. */
static json_t *time_now(void)
{
    struct timespec now;
    struct tm parts;
    char seconds[24];
    char text[32];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &parts) == NULL ||
        strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        return json_null();
    }
    (void)snprintf(text, sizeof text, "%s.%03dZ", seconds,
                   (int)(now.tv_nsec / 1000000));
    return json_string(text);
}

static json_t *one_event(const char *type, muster_status status,
                         json_t *message)
{
    if (status == MUSTER_OK) {
        return json_pack("[{s:s}]", "type", type);
    }
    return json_pack("[{s:s, s:s, s:O}]", "type", type, "status",
                     muster_status_name(status), "message", message);
}

static json_t *events_of(watching *self, const answer *got)
{
    switch (got->type) {
    case MUSTER_WATCH_ERROR:
        return one_event("error", got->status, got->message);
    case MUSTER_WATCH_FRESH:
        return one_event("recovered", MUSTER_OK, NULL);
    case MUSTER_WATCH_LIST:
    default:
        if (self->endpoints == NULL && json_array_size(got->endpoints) == 0) {
            return one_event("empty", MUSTER_OK, NULL);
        }
        return changes_between(self->endpoints, got->endpoints);
    }
}

/* In a table each row shows the time of its document. */
static bool copy_time(json_t *document, json_t *events)
{
    json_t *when = json_object_get(document, "time");
    size_t index;
    json_t *event;

    json_array_foreach(events, index, event)
    {
        if (json_object_set(event, "time", when) != 0) {
            return false;
        }
    }
    return true;
}

static const char *type_of(const answer *got)
{
    switch (got->type) {
    case MUSTER_WATCH_ERROR:
        return "error";
    case MUSTER_WATCH_FRESH:
        return "recovered";
    case MUSTER_WATCH_LIST:
    default:
        return "list";
    }
}

/* The list is the last good one, whatever happened. */
static exit_code run_command(const watching *self, const answer *got,
                             json_t *document)
{
    const on_change_event event = {type_of(got), self->target, self->sequence};
    json_t *endpoints =
        got->type == MUSTER_WATCH_LIST ? got->endpoints : self->endpoints;

    if (document == NULL ||
        json_object_set_new(document, "endpoints",
                            endpoints == NULL ? json_null()
                                              : json_incref(endpoints)) != 0) {
        return command_fail(EXIT_CODE_FAILURE, self->target, "out of memory");
    }
    return on_change_run(self->command, document, &event);
}

static exit_code show(watching *self, const answer *got)
{
    json_t *events = events_of(self, got);
    json_t *document = json_pack(
        "{s:i, s:o, s:o, s:I, s:I, s:I, s:b, s:o}", "schema_version",
        OUTPUT_SCHEMA_VERSION, "target", model_text(self->target), "time",
        time_now(), "sequence", (json_int_t)self->sequence, "generation",
        (json_int_t)got->generation, "age_ms", (json_int_t)got->age_ms,
        "is_held", (int)got->is_held, "events", events);
    const output_report report = {document, "events", columns, name};
    exit_code code;

    if (self->command != NULL) {
        code = run_command(self, got, document);
    } else if (document != NULL &&
               self->options.output.format == OUTPUT_TABLE &&
               !copy_time(document, events)) {
        code = command_fail(EXIT_CODE_FAILURE, self->target, "out of memory");
    } else {
        code = output_write(&self->options.output, &report);
    }
    json_decref(document);
    return code;
}

/* A source that fails is asked again and again, and may say so each time. */
static bool is_said_already(watching *self, const answer *got)
{
    const bool is_failure = got->type == MUSTER_WATCH_ERROR;
    const bool is_said =
        is_failure && json_equal(self->failure, got->message) == 1;

    json_decref(self->failure);
    self->failure = is_failure ? json_incref(got->message) : NULL;
    return is_said;
}

/* EXIT_CODE_OK: go on. */
static exit_code take(watching *self, const answer *got)
{
    self->is_stale = got->type == MUSTER_WATCH_ERROR || got->is_held;
    if (is_said_already(self, got)) {
        return EXIT_CODE_OK;
    }
    self->sequence++;
    if (show(self, got) != EXIT_CODE_OK) {
        return EXIT_CODE_FAILURE;
    }
    if (got->type == MUSTER_WATCH_LIST) {
        json_decref(self->endpoints);
        self->endpoints = json_incref(got->endpoints);
    }
    if (self->endpoints == NULL) {
        self->code = command_code_of_source(got->status);
    }
    return EXIT_CODE_OK;
}

static exit_code end_with_list(const watching *self)
{
    if (self->is_strict && self->is_stale) {
        return command_fail(EXIT_CODE_STALE, self->target,
                            "the list is stale: the source fails, or lists "
                            "nothing, and it is kept");
    }
    return EXIT_CODE_OK;
}

static exit_code run(watching *self, listener *source)
{
    uint64_t deadline_ms = listener_deadline_ms(self->for_ms);
    exit_code code = EXIT_CODE_OK;

    while (code == EXIT_CODE_OK && self->sequence < self->count) {
        answer *got = NULL;
        muster_status status = listener_next(source, deadline_ms, &got);

        if (status == MUSTER_TIMEOUT) {
            break;
        }
        if (status != MUSTER_OK) {
            return command_fail(EXIT_CODE_FAILURE, self->target,
                                "out of memory");
        }
        code = take(self, got);
        answer_destroy(got);
    }
    if (code != EXIT_CODE_OK) {
        return code;
    }
    if (self->endpoints != NULL) {
        return end_with_list(self);
    }
    if (self->sequence == 0) {
        return command_fail(EXIT_CODE_SOURCE, self->target,
                            "no answer in time");
    }
    return self->code;
}

exit_code command_watch(int argc, char **argv)
{
    watching self = {
        .for_ms = UINT64_MAX,
        .count = UINT64_MAX,
        .code = EXIT_CODE_SOURCE,
    };
    listener *source = NULL;
    muster_error err;
    muster_status status;
    exit_code code;

    options_init(&self.options);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    status = listener_create(self.target, &source, &err);
    if (status != MUSTER_OK) {
        return command_fail_create(status, self.target, &err);
    }
    code = run(&self, source);
    listener_destroy(source);
    json_decref(self.endpoints);
    json_decref(self.failure);
    return code;
}
