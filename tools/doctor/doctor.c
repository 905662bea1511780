/* SPDX-License-Identifier: Apache-2.0 */
/* muster doctor: what here, or on the way to a target, may give trouble. */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../duration.h"
#include "../model.h"
#include "../options.h"
#include "report.h"

enum {
    OPTION_STRICT = 256,
    OPTION_RESOLV_CONF,
    OPTION_MAX_ENDPOINTS,
    OPTION_GROUP,
    OPTION_MEMORY
};

enum { DEFAULT_ENDPOINTS = 16, MAX_ENDPOINTS = 256, MAX_GROUPS = 16 };

typedef struct check_entry {
    const char *group;
    void (*run)(doctor *self);
    bool needs_target;
} check_entry;

static const check_entry checks[] = {
    {"libraries", doctor_check_libraries, false},
    {"system", doctor_check_open_files, false},
    {"system", doctor_check_memory, false},
    {"system", doctor_check_membarrier, false},
    {"system", doctor_check_clock, false},
    {"dns", doctor_check_resolv_conf, false},
    {"environment", doctor_check_proxies, false},
    {"environment", doctor_check_consul, false},
    {"environment", doctor_check_muster, false},
    {"environment", doctor_check_grpc, false},
    {"plugins", doctor_check_plugins, false},
    {"certificates", doctor_check_certificates, false},
    {"target", doctor_check_target, true},
};
enum { N_CHECKS = sizeof checks / sizeof checks[0] };

typedef struct arguments {
    options options;
    doctor_settings settings;
    const char *groups[MAX_GROUPS]; /* none: all */
    size_t n_groups;
    bool is_strict;
} arguments;

static const char doc[] =
    "Look for what may give trouble: old libraries, limits, resolv.conf, "
    "environment variables, plugins; and with TARGET, whether it resolves, "
    "whether its endpoints can be connected to, their certificates and their "
    "health. Nothing is changed, and no token is shown.\v"
    "Groups of checks: libraries, system, dns, environment, plugins, "
    "certificates (of --cacert and --cert), target.\n"
    "\n"
    "Examples:\n"
    "  muster doctor\n"
    "  muster doctor dns:///web.prod:50051 --tls\n"
    "  muster doctor consul:///web --cacert ca.pem --strict -o json\n"
    "  muster doctor -g environment -g plugins\n"
    "\n"
    "Exit status: 0 nothing, or warnings only; 8 a check failed, or with "
    "--strict warned; 2 usage; 1 anything else.";

static const struct argp_option entries[] = {
    {"strict", OPTION_STRICT, NULL, 0, "Exit with 8 also on warnings", 0},
    {"group", 'g', "GROUP", 0, "Run only the checks of this group; repeat", 0},
    {"max-time", 't', "TIME", 0,
     "For the resolver, and then for each endpoint (default 5s)", 0},
    {"max-endpoints", OPTION_MAX_ENDPOINTS, "N", 0,
     "Connect to so many addresses (default 16)", 0},
    {"resolv-conf", OPTION_RESOLV_CONF, "FILE", 0,
     "Instead of /etc/resolv.conf", 0},
    {"memory-folder", OPTION_MEMORY, "DIR", OPTION_HIDDEN, "", 0},
    {0},
};

/* ---- the command line ---- */

static void add_group(arguments *self, const char *text,
                      struct argp_state *state)
{
    bool is_known = false;

    for (size_t i = 0; i < N_CHECKS; i++) {
        is_known |= strcmp(checks[i].group, text) == 0;
    }
    if (!is_known || self->n_groups == MAX_GROUPS) {
        argp_error(state,
                   "no group \"%s\": libraries, system, dns, environment, "
                   "plugins, certificates or target",
                   text);
    }
    self->groups[self->n_groups++] = text;
}

static void set_max_endpoints(arguments *self, const char *text,
                              struct argp_state *state)
{
    char *end = NULL;
    const unsigned long n = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 ||
        n > MAX_ENDPOINTS) {
        argp_error(state, "\"%s\" is not from 1 to %d", text,
                   (int)MAX_ENDPOINTS);
    }
    self->settings.max_endpoints = (unsigned)n;
}

static void set_target(arguments *self, const char *text,
                       struct argp_state *state)
{
    if (self->settings.target != NULL) {
        argp_error(state, "one TARGET only, not \"%s\" too", text);
    }
    self->settings.target = text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->settings.tls;
        state->child_inputs[1] = &self->options;
        return 0;
    case 'g':
        add_group(self, text, state);
        return 0;
    case 't':
        if (!duration_parse(text, &self->settings.timeout_ms) ||
            self->settings.timeout_ms == 0) {
            argp_error(state, "no time \"%s\": say 5s, 250ms or 1m", text);
        }
        return 0;
    case OPTION_STRICT:
        self->is_strict = true;
        return 0;
    case OPTION_MAX_ENDPOINTS:
        set_max_endpoints(self, text, state);
        return 0;
    case OPTION_RESOLV_CONF:
        self->settings.resolv_conf = text;
        return 0;
    case OPTION_MEMORY:
        self->settings.memory_folder = text;
        return 0;
    case ARGP_KEY_ARG:
        set_target(self, text, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {
    {&tls_argp, 0, NULL, 0},
    {&options_argp, 0, "Common options:", 1},
    {0},
};

static const struct argp argp = {entries,  parse, "[TARGET]", doc,
                                 children, NULL,  NULL};

/* ---- what checks use ---- */

const char *doctor_variable(const char *name)
{
    const char *value = getenv(name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

const char *doctor_verdict_name(verdict result)
{
    static const char *const names[] = {"ok", "warning", "failure"};

    return names[result];
}

void doctor_report(doctor *self, verdict result, const char *check,
                   const char *subject, const char *hint, const char *format,
                   ...)
{
    char *detail = NULL;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&detail, format, args);
    va_end(args);
    if (length < 0 ||
        json_array_append_new(
            self->checks,
            json_pack("{s:s, s:s, s:o, s:s, s:o, s:o}", "group", self->group,
                      "check", check, "subject", model_text(subject), "result",
                      doctor_verdict_name(result), "detail",
                      model_text(length < 0 ? NULL : detail), "hint",
                      model_text(hint))) != 0) {
        self->is_out_of_memory = true;
    }
    self->counts[result]++;
    free(length < 0 ? NULL : detail);
}

/* ---- the verb ---- */

static bool is_chosen(const arguments *self, const char *group)
{
    for (size_t i = 0; i < self->n_groups; i++) {
        if (strcmp(self->groups[i], group) == 0) {
            return true;
        }
    }
    return self->n_groups == 0;
}

static void run_checks(const arguments *self, doctor *all)
{
    for (size_t i = 0; i < N_CHECKS; i++) {
        if (is_chosen(self, checks[i].group) &&
            (!checks[i].needs_target || self->settings.target != NULL)) {
            all->group = checks[i].group;
            checks[i].run(all);
        }
    }
}

static exit_code print(arguments *self, const doctor *all)
{
    json_t *document =
        all->is_out_of_memory
            ? NULL
            : json_pack("{s:i, s:o, s:i, s:i, s:i, s:O}", "schema_version",
                        OUTPUT_SCHEMA_VERSION, "target",
                        model_text(self->settings.target), "ok",
                        (int)all->counts[VERDICT_OK], "warnings",
                        (int)all->counts[VERDICT_WARNING], "failures",
                        (int)all->counts[VERDICT_FAILURE], "checks",
                        all->checks);
    exit_code code = report_print(&self->options.output, document);

    json_decref(document);
    return code;
}

exit_code command_doctor(int argc, char **argv)
{
    arguments self = {.settings = {.resolv_conf = "/etc/resolv.conf",
                                   .timeout_ms = 5000,
                                   .max_endpoints = DEFAULT_ENDPOINTS}};
    doctor all = {.settings = &self.settings};
    exit_code code;

    options_init(&self.options);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    all.checks = json_array();
    run_checks(&self, &all);
    code = print(&self, &all);
    json_decref(all.checks);
    if (all.counts[VERDICT_FAILURE] > 0 ||
        (self.is_strict && all.counts[VERDICT_WARNING] > 0)) {
        code = EXIT_CODE_THRESHOLD;
    }
    return code;
}
