/* SPDX-License-Identifier: Apache-2.0 */
/* muster simulate: what policies make of a scenario, in virtual time. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "file.h"
#include "model.h"
#include "options.h"
#include "simulation/comparison.h"

enum { OPTION_SEED = 256 };

typedef struct arguments {
    options options;
    const char *scenario;
    const char *plot;
    json_t *policies; /* those of the command line, or NULL */
    const char *seed;
} arguments;

static const char doc[] =
    "Play a scenario with each policy in virtual time, and compare latencies, "
    "load and lost calls. SCENARIO is a file, \"-\", or one of the built-in "
    "ones:\v"
    "Examples:\n"
    "  muster simulate one-slow-of-four\n"
    "  muster simulate slow-middle -p round_robin -p p2c_ewma --plot out.svg\n"
    "  muster simulate mine.json -p '{\"least_request\": {\"choiceCount\": "
    "3}}'\n";

static const struct argp_option entries[] = {
    {"policy", 'p', "POLICY", 0,
     "A name, or {\"NAME\": {SETTINGS}}; may come several times", 0},
    {"plot", 'g', "FILE", 0, "Draw it as SVG into FILE", 0},
    {"seed", OPTION_SEED, "N", 0, "Other arrivals than the scenario's", 0},
    {0},
};

static void add_policy(arguments *self, const char *text,
                       struct argp_state *state)
{
    json_t *value =
        text[0] == '{' ? json_loads(text, 0, NULL) : json_string(text);

    if (value == NULL) {
        argp_error(state, "\"%s\" is no JSON", text);
    }
    if (self->policies == NULL) {
        self->policies = json_array();
    }
    (void)json_array_append_new(self->policies, value);
}

static void take_seed(arguments *self, const char *text,
                      struct argp_state *state)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0') {
        argp_error(state, "a seed is a whole number, not \"%s\"", text);
    }
    self->seed = text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->options;
        return 0;
    case 'p':
        add_policy(self, text, state);
        return 0;
    case 'g':
        self->plot = text;
        return 0;
    case OPTION_SEED:
        take_seed(self, text, state);
        return 0;
    case ARGP_KEY_ARG:
        if (self->scenario != NULL) {
            argp_error(state, "one SCENARIO only, not \"%s\" too", text);
        }
        self->scenario = text;
        return 0;
    case ARGP_KEY_END:
        if (self->scenario == NULL) {
            argp_error(state, "which SCENARIO?");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Behind the first paragraph: the names of what is built in. */
static char *help_text(int key, const char *text, void *input)
{
    char *buffer = NULL;
    size_t size = 0;
    FILE *out;

    (void)input;
    if (key != ARGP_KEY_HELP_PRE_DOC) {
        return (char *)(uintptr_t)text;
    }
    out = open_memstream(&buffer, &size);
    if (out == NULL) {
        return NULL;
    }
    (void)fputs(text, out);
    for (size_t i = 0; scenario_name(i) != NULL; i++) {
        (void)fprintf(out, "\n  %s", scenario_name(i));
    }
    if (fclose(out) != 0) {
        free(buffer);
        return NULL;
    }
    return buffer; /* freed by argp */
}

static const struct argp argp = {entries,          parse,     "SCENARIO", doc,
                                 options_children, help_text, NULL};

static const output_column columns[] = {
    {"POLICY", "policy", 0},
    {"CALLS", "calls", 0},
    {"LOST", "lost", 0},
    {"MEAN-MS", "mean_ms", 0},
    {"P50-MS", "p50_ms", 0},
    {"P99-MS", "p99_ms", 0},
    {"P99.9-MS", "p999_ms", 0},
    {"LOAD", "load", 0},
    {NULL, NULL, 0},
};

static const char *const name[] = {"policy", NULL};

static exit_code draw(const arguments *self, const comparison *compared)
{
    FILE *out;
    bool is_written;

    if (self->plot == NULL) {
        return EXIT_CODE_OK;
    }
    out = fopen(self->plot, "w");
    if (out == NULL) {
        return command_fail(EXIT_CODE_FAILURE, self->plot, strerror(errno));
    }
    is_written = comparison_plot(compared, self->scenario, out);
    if (fclose(out) != 0 || !is_written) {
        return command_fail(EXIT_CODE_FAILURE, self->plot, strerror(errno));
    }
    return EXIT_CODE_OK;
}

static exit_code print(arguments *self, const comparison *compared)
{
    json_t *document = json_pack(
        "{s:i, s:o, s:s, s:o}", "schema_version", OUTPUT_SCHEMA_VERSION,
        "scenario", model_text(self->scenario), "about",
        compared->scenario.about, "policies", comparison_rows(compared));
    exit_code code = output_write(
        &self->options.output,
        &(const output_report){document, "policies", columns, name});

    json_decref(document);
    return code;
}

static exit_code code_of(muster_status status)
{
    switch (status) {
    case MUSTER_INVAL:
        return EXIT_CODE_DATA;
    case MUSTER_NOTFOUND:
        return EXIT_CODE_USAGE;
    case MUSTER_NOMEM:
        return EXIT_CODE_FAILURE;
    default:
        return EXIT_CODE_PLUGIN;
    }
}

static exit_code run(arguments *self, const char *text, size_t size)
{
    comparison compared;
    muster_error err = {.code = MUSTER_OK};
    muster_status status =
        comparison_run(&compared, text, size, self->policies, self->seed, &err);
    exit_code code;

    if (status != MUSTER_OK) {
        return command_fail(code_of(status), self->scenario, err.message);
    }
    code = draw(self, &compared);
    if (code == EXIT_CODE_OK) {
        code = print(self, &compared);
    }
    comparison_release(&compared);
    return code;
}

static exit_code fail_read(const char *place, int error)
{
    if (error == ENOENT && strchr(place, '/') == NULL) {
        command_say("%s: %s, and no built-in scenario is called that; \"muster "
                    "simulate --help\" names them",
                    place, strerror(error));
        return EXIT_CODE_SOURCE;
    }
    return command_fail(EXIT_CODE_SOURCE, place, strerror(error));
}

exit_code command_simulate(int argc, char **argv)
{
    arguments self = {.scenario = NULL};
    const char *built_in;
    char *text;
    size_t size = 0;
    exit_code code;

    options_init(&self.options);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    built_in = scenario_built_in(self.scenario);
    if (built_in != NULL) {
        code = run(&self, built_in, strlen(built_in));
    } else {
        text = file_read(self.scenario, &size);
        code = text == NULL ? fail_read(self.scenario, errno)
                            : run(&self, text, size);
        free(text);
    }
    json_decref(self.policies);
    return code;
}
