/* SPDX-License-Identifier: Apache-2.0 */
/* muster bench: many calls through the library's own balancer, measured. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../call/method.h"
#include "../duration.h"
#include "../options.h"
#include "report.h"

enum { OPTION_WARMUP = 256, OPTION_FAIL_ON, OPTION_THREADS };

enum { DEFAULT_CALLS = 200, MAX_AT_ONCE = 100000, MAX_THREADS = 64 };

typedef struct arguments {
    options options;
    request request;
    thresholds limits;
    const char *target;
    const char *method;
    run_plan plan;
    bool has_calls;
} arguments;

static const char doc[] =
    "Call METHOD (by default the health check) of the service behind TARGET "
    "many times, and show how long calls took, which endpoints answered, and "
    "what failed. Latencies are those of calls that ended OK, without the time "
    "it takes to connect.\v"
    "With --rate each call is due at a moment of its own and timed from then, "
    "also when it could begin only later because --concurrency calls were out: "
    "a server that stalls shows in the percentiles (no coordinated omission). "
    "Without it the next call begins when one ends.\n"
    "\n"
    "CONDITIONS of --fail-on are separated by commas, each a figure, one of < "
    "<= > >= and a limit: errors (a number, or 1%), unsent, rps (calls a "
    "second that ended OK), fairness (calls of the most called endpoint by "
    "those of the least called), fastest, average, slowest, p50, p99.9 ... "
    "(5ms, 200us).\n"
    "\n"
    "Examples:\n"
    "  muster bench dns:///web.prod:50051\n"
    "  muster bench consul:///web shop.Cart/Get --hex '0a 03 616263' -z 30s\n"
    "  muster bench static:///10.0.0.1:1,10.0.0.2:1 -r 1000 -z 10s \\\n"
    "      --warmup 2s --fail-on 'errors>0,p99>5ms,rps<990'\n"
    "  muster bench file:///etc/backends -p p2c_ewma -o json\n"
    "\n"
    "Exit status: 0 measured; 8 a condition of --fail-on is met; 1 not one "
    "call "
    "ended OK; 2 usage, or no such target; 4 no such file; 6 a plugin cannot "
    "be loaded; 1 anything else. SIGINT ends it early, with the report.";

static const struct argp_option entries[] = {
    {"concurrency", 'c', "N", 0, "Calls out at a time (default 50)", 0},
    {"requests", 'n', "N", 0, "Calls in all (default 200, or no limit with -z)",
     0},
    {"duration", 'z', "TIME", 0, "Begin calls for so long", 0},
    {"rate", 'r', "RPS", 0, "So many calls a second, however long they take",
     0},
    {"threads", OPTION_THREADS, "N", 0, "That take answers (default 1)", 0},
    {"warmup", OPTION_WARMUP, "N|TIME", 0,
     "First make N calls, or calls for a TIME like 2s, that do not count", 0},
    {"fail-on", OPTION_FAIL_ON, "CONDITIONS", 0,
     "Exit with 8 when one is met: errors>0,p99>5ms", 0},
    {0},
};

/* ---- the command line ---- */

/* 1 to most. */
static uint64_t read_count(const char *text, uint64_t most,
                           struct argp_state *state)
{
    char *end = NULL;
    unsigned long long n;

    errno = 0;
    n = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n < 1 ||
        n > most) {
        argp_error(state, "\"%s\" is not a number from 1 to %llu", text,
                   (unsigned long long)most);
    }
    return n;
}

static uint64_t read_duration_ns(const char *text, struct argp_state *state)
{
    uint64_t duration_ms = 0;

    if (!duration_parse(text, &duration_ms) || duration_ms == 0) {
        argp_error(state, "no time \"%s\": say 5s, 250ms or 1m", text);
    }
    return duration_ms * UINT64_C(1000000);
}

static void read_rate(arguments *self, const char *text,
                      struct argp_state *state)
{
    char *end = NULL;
    double rate = strtod(text, &end);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || !(rate > 0) ||
        rate > 1e6) {
        argp_error(state,
                   "no rate \"%s\": calls a second, up to a million, like 1000 "
                   "or 0.5",
                   text);
    }
    self->plan.measured.rate = rate;
}

/* A number alone counts calls. */
static void read_warmup(arguments *self, const char *text,
                        struct argp_state *state)
{
    load_plan *warmup = &self->plan.warmup;

    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
        warmup->n_calls = read_count(text, UINT32_MAX, state);
        warmup->duration_ns = LOAD_NO_LIMIT;
    } else {
        warmup->n_calls = LOAD_NO_LIMIT;
        warmup->duration_ns = read_duration_ns(text, state);
    }
}

static void read_conditions(arguments *self, const char *text,
                            struct argp_state *state)
{
    muster_error err;

    if (!thresholds_add(&self->limits, text, &err)) {
        argp_error(state, "--fail-on %s", err.message);
    }
}

static void read_argument(arguments *self, const char *text,
                          struct argp_state *state)
{
    if (self->target == NULL) {
        self->target = text;
    } else if (self->method == NULL) {
        self->method = text;
    } else {
        argp_error(state, "one TARGET and one METHOD, not \"%s\" too", text);
    }
}

static void check(arguments *self, struct argp_state *state)
{
    const load_plan *plan = &self->plan.measured;

    if (self->target == NULL) {
        argp_error(state, "which TARGET?");
    }
    if (self->method != NULL && !method_is_valid(self->method)) {
        argp_error(state, "no method \"%s\": say package.Service/Method",
                   self->method);
    }
    if (self->method == NULL && self->request.messages.n > 0) {
        argp_error(state, "a message for which METHOD? The health check has "
                          "its own");
    }
    if (plan->n_threads > plan->n_at_once) {
        argp_error(state, "%u threads for %u calls at a time", plan->n_threads,
                   plan->n_at_once);
    }
    if (!self->has_calls && plan->duration_ns == LOAD_NO_LIMIT) {
        self->plan.measured.n_calls = DEFAULT_CALLS;
    }
}

/* False: it says nothing of the load. */
static bool read_load(arguments *self, int key, const char *text,
                      struct argp_state *state)
{
    load_plan *plan = &self->plan.measured;

    switch (key) {
    case 'c':
        plan->n_at_once = (unsigned)read_count(text, MAX_AT_ONCE, state);
        return true;
    case 'n':
        plan->n_calls = read_count(text, UINT32_MAX, state);
        self->has_calls = true;
        return true;
    case 'z':
        plan->duration_ns = read_duration_ns(text, state);
        return true;
    case 'r':
        read_rate(self, text, state);
        return true;
    case OPTION_THREADS:
        plan->n_threads = (unsigned)read_count(text, MAX_THREADS, state);
        return true;
    case OPTION_WARMUP:
        read_warmup(self, text, state);
        return true;
    default:
        return false;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    if (read_load(self, key, text, state)) {
        return 0;
    }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->request;
        state->child_inputs[1] = &self->options;
        return 0;
    case OPTION_FAIL_ON:
        read_conditions(self, text, state);
        return 0;
    case ARGP_KEY_ARG:
        read_argument(self, text, state);
        return 0;
    case ARGP_KEY_END:
        check(self, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {
    {&request_argp, 0, NULL, 0},
    {&options_argp, 0, "Common options:", 1},
    {0},
};

static const struct argp argp = {
    entries, parse, "TARGET [METHOD]", doc, children, NULL, NULL};

/* ---- the report ---- */

static const char *const name_keys[] = {"calls_per_s", NULL};

/* One run is one row: a line of ndjson. */
static exit_code print_row(output *format, json_t *model)
{
    json_t *document = json_pack("{s:[O]}", "runs", model);
    const output_report report = {document, "runs", NULL, name_keys};
    const exit_code code = output_write(format, &report);

    json_decref(document);
    return code;
}

static exit_code print(output *format, json_t *model)
{
    const output_report report = {model, "endpoints", NULL, NULL};

    if (format->format == OUTPUT_JSON || model == NULL) {
        return output_write(format, &report);
    }
    if (format->format != OUTPUT_TABLE) {
        return print_row(format, model);
    }
    return report_write(stdout, format, model)
               ? output_flush()
               : command_fail(EXIT_CODE_FAILURE, "output", "out of memory");
}

static void say_why(const arguments *self, const threshold *limit, double value)
{
    if (isnan(value)) {
        command_say("%s: %s: not one call ended OK", self->target, limit->text);
    } else if (isinf(value)) {
        command_say("%s: %s: an endpoint got no call", self->target,
                    limit->text);
    } else {
        command_say("%s: %s: it is %.4g%s", self->target, limit->text, value,
                    threshold_unit(limit));
    }
}

static exit_code judge(const arguments *self, const run_outcome *outcome)
{
    const tally *all = &outcome->load.tally;
    exit_code code = EXIT_CODE_OK;

    for (size_t i = 0; i < self->limits.n; i++) {
        double value;

        if (threshold_is_hit(&self->limits.of[i], outcome, &value)) {
            say_why(self, &self->limits.of[i], value);
            code = EXIT_CODE_THRESHOLD;
        }
    }
    if (code == EXIT_CODE_OK && all->n_ok == 0 && !outcome->is_interrupted) {
        code = command_fail(EXIT_CODE_FAILURE, self->target,
                            "not one call ended OK");
    }
    return code;
}

/* ---- the verb ---- */

static exit_code run(arguments *self, muster_channel *channel)
{
    run_outcome *outcome = calloc(1, sizeof *outcome);
    muster_error err = {.code = MUSTER_NOMEM, .message = "out of memory"};
    json_t *model;
    exit_code printed;
    exit_code judged;

    if (outcome == NULL ||
        run_bench(&self->plan, channel, outcome, &err) != MUSTER_OK) {
        free(outcome);
        return command_fail(EXIT_CODE_FAILURE, self->target, err.message);
    }
    model = report_model(&self->plan, outcome, &self->limits);
    printed = print(&self->options.output, model);
    judged = judge(self, outcome);
    json_decref(model);
    tally_release(&outcome->load.tally);
    free(outcome);
    return judged != EXIT_CODE_OK ? judged : printed;
}

/* Warming up is as the rest, but for how long it goes. */
static void complete(run_plan *plan)
{
    const load_plan warmup = plan->warmup;

    plan->warmup = plan->measured;
    plan->warmup.n_calls = warmup.n_calls;
    plan->warmup.duration_ns = warmup.duration_ns;
}

static exit_code open_and_run(arguments *self)
{
    char *method = method_full(
        self->method == NULL ? "grpc.health.v1.Health/Check" : self->method);
    muster_channel *channel = NULL;
    exit_code code;

    if (method == NULL) {
        return command_fail(EXIT_CODE_FAILURE, self->target, "out of memory");
    }
    self->plan.measured.target = self->target;
    self->plan.measured.method = method;
    complete(&self->plan);
    code = request_open(&self->request, self->target, &channel);
    if (code == EXIT_CODE_OK) {
        code = run(self, channel);
        muster_channel_destroy(channel);
    }
    free(method);
    return code;
}

exit_code command_bench(int argc, char **argv)
{
    static arguments self;
    exit_code code;

    self.plan.measured = (load_plan){.request = &self.request,
                                     .n_calls = LOAD_NO_LIMIT,
                                     .duration_ns = LOAD_NO_LIMIT,
                                     .n_at_once = 50,
                                     .n_threads = 1};
    options_init(&self.options);
    request_init(&self.request);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    code = open_and_run(&self);
    request_release(&self.request);
    return code;
}
