/* SPDX-License-Identifier: Apache-2.0 */
/* muster plugins check: whether a plugin keeps the rules of the ABI. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance/runner.h"
#include "duration.h"
#include "model.h"
#include "options.h"
#include "plugins.h"

enum {
    OPTION_TARGET = 't',
    OPTION_CONFIG = 'c',
    OPTION_TIMEOUT = 256,
    OPTION_CASE,
    OPTION_HERE,
    OPTION_REPORT
};

typedef struct arguments {
    options options;
    runner_options suite;
    bool is_here;
    int report_fd; /* -1: this is not a child */
} arguments;

static const struct argp_option entries[] = {
    {"target", OPTION_TARGET, "URI", 0, "A target for its resolvers", 0},
    {"policy-config", OPTION_CONFIG, "JSON", 0,
     "Settings for its balancers, when \"{}\" will not do", 0},
    {"timeout", OPTION_TIMEOUT, "TIME", 0,
     "End a case after TIME (default 30s)", 0},
    {"case", OPTION_CASE, "CASE", 0,
     "Only that one: CLASS/CASE, or all of a CLASS", 0},
    {"here", OPTION_HERE, NULL, 0,
     "Run the one case in this process, for a debugger", 0},
    {"report-fd", OPTION_REPORT, "N", OPTION_HIDDEN, NULL, 0},
    {0},
};

static const char doc[] =
    "Check whether a plugin keeps the rules: life cycle, threads, stopping in "
    "time, storms of refreshes, lists of all sizes. Each case runs in a "
    "process of its own, and says in one sentence what broke.\v"
    "Examples:\n"
    "  muster plugins check muster_folder.so --target folder:///run/web\n"
    "  muster plugins check muster_sticky.so -o json\n"
    "  gdb --args muster plugins check muster_sticky.so --here \\\n"
    "      --case balancer:sticky/views\n"
    "\n"
    "Exit status: 0 it keeps them; 5 it breaks one; 6 it cannot be loaded; 4 "
    "no such file; 2 usage; 1 anything else.";

static void take_file(arguments *self, char *text, struct argp_state *state)
{
    if (self->suite.file != NULL) {
        argp_error(state, "one FILE only, not \"%s\" too", text);
    }
    self->suite.file = text;
}

static void check_config(const char *text, struct argp_state *state)
{
    json_t *config = json_loads(text, 0, NULL);

    if (!json_is_object(config)) {
        argp_error(state, "\"%s\" is no JSON object", text);
    }
    json_decref(config);
}

static void check_end(const arguments *self, struct argp_state *state)
{
    if (self->suite.file == NULL) {
        argp_error(state, "check which FILE?");
    }
    if (self->is_here &&
        (self->suite.only == NULL || (strcmp(self->suite.only, "load") != 0 &&
                                      strchr(self->suite.only, '/') == NULL))) {
        argp_error(state, "--here needs one --case CLASS/CASE");
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->options;
        return 0;
    case OPTION_TARGET:
        self->suite.target = text;
        return 0;
    case OPTION_CONFIG:
        check_config(text, state);
        self->suite.policy_config = text;
        return 0;
    case OPTION_TIMEOUT:
        if (!duration_parse(text, &self->suite.timeout_ms)) {
            argp_error(state, "no time \"%s\": say 5s, 250ms or 1m", text);
        }
        return 0;
    case OPTION_CASE:
        self->suite.only = text;
        return 0;
    case OPTION_HERE:
        self->is_here = true;
        return 0;
    case OPTION_REPORT:
        self->report_fd = atoi(text);
        return 0;
    case ARGP_KEY_ARG:
        take_file(self, text, state);
        return 0;
    case ARGP_KEY_END:
        check_end(self, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {entries,          parse, "FILE", doc,
                                 options_children, NULL,  NULL};

static const output_column columns[] = {
    {"RESULT", "result", 0}, {"CLASS", "class", 0}, {"CASE", "case", 0},
    {"DETAIL", "detail", 0}, {NULL, NULL, 0},
};

static const char *const name[] = {"result", "class", "case", NULL};

static size_t count(const json_t *cases, const char *result)
{
    size_t n = 0;
    size_t index;
    const json_t *row;

    json_array_foreach(cases, index, row)
    {
        n += strcmp(json_string_value(json_object_get(row, "result")),
                    result) == 0;
    }
    return n;
}

static exit_code code_of(const json_t *cases, muster_status status)
{
    if (status == MUSTER_NOTFOUND) {
        return EXIT_CODE_SOURCE;
    }
    if (count(cases, "fail") == 0) {
        return EXIT_CODE_OK;
    }
    /* The first case is that it can be loaded. */
    return strcmp(json_string_value(
                      json_object_get(json_array_get(cases, 0), "result")),
                  "fail") == 0 &&
                   json_is_null(
                       json_object_get(json_array_get(cases, 0), "class"))
               ? EXIT_CODE_PLUGIN
               : EXIT_CODE_DATA;
}

static exit_code report(arguments *self, json_t *cases, muster_status status)
{
    json_t *document =
        json_pack("{s:i, s:o, s:O, s:I, s:I, s:I}", "schema_version",
                  OUTPUT_SCHEMA_VERSION, "file", model_text(self->suite.file),
                  "cases", cases, "passed", (json_int_t)count(cases, "pass"),
                  "failed", (json_int_t)count(cases, "fail"), "skipped",
                  (json_int_t)count(cases, "skip"));
    exit_code code =
        output_write(&self->options.output,
                     &(const output_report){document, "cases", columns, name});

    json_decref(document);
    return code == EXIT_CODE_OK ? code_of(cases, status) : code;
}

exit_code plugins_check(int argc, char **argv)
{
    arguments self = {.suite = {.timeout_ms = 30000}, .report_fd = -1};
    muster_status status = MUSTER_OK;
    json_t *cases;
    exit_code code;

    options_init(&self.options);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    if (self.report_fd >= 0) {
        runner_run_child(&self.suite, self.report_fd);
        /* No more of the plugin is run: its threads may be anywhere. */
        _exit(EXIT_CODE_OK);
    }
    cases = self.is_here ? runner_run_here(&self.suite, &status)
                         : runner_run(&self.suite, &status);
    code = report(&self, cases, status);
    json_decref(cases);
    return code;
}
