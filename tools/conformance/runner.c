/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the suite on a plugin, each case in a process of its own. */
#include "runner.h"

#include <stdlib.h>
#include <string.h>

#include "child.h"

typedef struct runner {
    const runner_options *options;
    json_t *rows;
    muster_status status;
    char classes[MUSTER_NOTE_TEXT_SIZE];
} runner;

static const char *const results[] = {
    [TRIAL_SILENT] = "fail",
    [TRIAL_PASSED] = "pass",
    [TRIAL_FAILED] = "fail",
    [TRIAL_SKIPPED] = "skip",
};

/* What a plugin says need not be UTF-8. */
static json_t *text_of(char *text)
{
    json_t *value = text[0] == '\0' ? json_null() : json_string(text);

    if (value == NULL) {
        for (char *at = text; *at != '\0'; at++) {
            *at = (*at & 0x80) != 0 ? '?' : *at;
        }
        value = json_string(text);
    }
    return value;
}

static void add_row(runner *self, const char *name, trial_report *report)
{
    const char *slash = strrchr(name, '/');
    json_t *class_ = slash == NULL ? json_null()
                                   : json_stringn(name, (size_t)(slash - name));

    (void)json_array_append_new(
        self->rows,
        json_pack("{s:o, s:s, s:s, s:o}", "class", class_, "case",
                  slash == NULL ? name : slash + 1, "result",
                  results[report->result], "detail", text_of(report->detail)));
}

/* Whether it passed, or may be followed by those that do not rest on it. */
static bool run_case(runner *self, const char *name, bool is_first)
{
    trial_report *report = child_run(self->options, name);
    bool can_go_on;

    if (report == NULL) {
        json_decref(self->rows);
        self->rows = NULL;
        return false;
    }
    can_go_on =
        report->result == TRIAL_PASSED || (!is_first && !report->is_hung);
    add_row(self, name, report);
    if (strcmp(name, "load") == 0) {
        self->status = report->status;
        memcpy(self->classes, report->classes, sizeof self->classes);
    }
    child_release(report);
    return can_go_on;
}

static bool is_wanted(const runner *self, const char *class_name,
                      const char *case_name)
{
    const char *only = self->options->only;
    size_t length = strlen(class_name);

    if (only == NULL || strcmp(only, class_name) == 0) {
        return true;
    }
    return strncmp(only, class_name, length) == 0 && only[length] == '/' &&
           strcmp(only + length + 1, case_name) == 0;
}

static void run_class(runner *self, const char *class_name)
{
    const trial_case *cases = strncmp(class_name, "resolver:", 9) == 0
                                  ? trial_resolver_cases
                                  : trial_balancer_cases;

    for (size_t i = 0; cases[i].name != NULL && self->rows != NULL; i++) {
        char name[128];

        if (!is_wanted(self, class_name, cases[i].name)) {
            continue;
        }
        (void)snprintf(name, sizeof name, "%s/%s", class_name, cases[i].name);
        if (!run_case(self, name, i == 0)) {
            return;
        }
    }
}

json_t *runner_run(const runner_options *options, muster_status *ret_status)
{
    runner self = {.options = options, .rows = json_array()};
    char *rest = NULL;

    if (run_case(&self, "load", true)) {
        for (char *word = strtok_r(self.classes, " ", &rest); word != NULL;
             word = strtok_r(NULL, " ", &rest)) {
            run_class(&self, word);
        }
    }
    *ret_status = self.status;
    return self.rows;
}

static trial trial_of(const runner_options *options, trial_report *report)
{
    return (trial){.report = report,
                   .file = options->file,
                   .target = options->target,
                   .policy_config = options->policy_config,
                   .timeout_ms = options->timeout_ms};
}

json_t *runner_run_here(const runner_options *options,
                        muster_status *ret_status)
{
    trial_report report = {.result = TRIAL_SILENT};
    runner self = {.options = options, .rows = json_array()};
    trial here = trial_of(options, &report);

    trial_run(&here, options->only);
    add_row(&self, options->only, &report);
    *ret_status = report.status;
    return self.rows;
}

void runner_run_child(const runner_options *options, int report_fd)
{
    trial_report *report = child_attach(report_fd);

    if (report != NULL) {
        trial child = trial_of(options, report);

        trial_run(&child, options->only);
    }
}
