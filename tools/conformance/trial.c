/* SPDX-License-Identifier: Apache-2.0 */
/* What a case says, and which case it is. */
#include "trial.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "subject.h"

void trial_step(trial *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(self->report->step, sizeof self->report->step, format,
                    args);
    va_end(args);
}

static void say(trial *self, trial_result result, const char *format,
                va_list args)
{
    if (trial_is_over(self)) {
        return;
    }
    (void)vsnprintf(self->report->detail, sizeof self->report->detail, format,
                    args);
    self->report->result = result;
}

void trial_fail(trial *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(self, TRIAL_FAILED, format, args);
    va_end(args);
}

void trial_skip(trial *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(self, TRIAL_SKIPPED, format, args);
    va_end(args);
}

bool trial_is_over(const trial *self)
{
    return self->report->result != TRIAL_SILENT;
}

void trial_take_violations(trial *self, const char *violations)
{
    size_t length = strcspn(violations, "\n");
    size_t n_more = 0;

    if (length == 0) {
        return;
    }
    for (const char *at = violations + length; *at != '\0'; at++) {
        n_more += at[0] == '\n' && at[1] != '\0';
    }
    if (n_more == 0) {
        trial_fail(self, "%.*s", (int)length, violations);
    } else {
        trial_fail(self, "%.*s (and %zu more)", (int)length, violations,
                   n_more);
    }
}

static bool is_known(muster_status status)
{
    return strcmp(muster_status_name(status), "UNKNOWN") != 0;
}

bool trial_check_error(trial *self, const char *what, muster_status status,
                       const muster_error *err)
{
    if (!is_known(status)) {
        trial_fail(self, "%s answers %d, which is no muster_status", what,
                   (int)status);
    } else if (memchr(err->message, '\0', sizeof err->message) == NULL) {
        trial_fail(self, "%s fills err with a message that does not end", what);
    } else if (err->message[0] == '\0') {
        trial_fail(self, "%s fails with %s and says no word in err", what,
                   muster_status_name(status));
    } else if (err->code != status) {
        trial_fail(self, "%s answers %s and puts another code into err", what,
                   muster_status_name(status));
    } else {
        return true;
    }
    return false;
}

uint64_t trial_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- which case ---- */

static const trial_case *find(const trial_case *cases, const char *name)
{
    while (cases->name != NULL && strcmp(cases->name, name) != 0) {
        cases++;
    }
    return cases->name == NULL ? NULL : cases;
}

static void run_case(trial *self, const char *name)
{
    const char *slash = strrchr(name, '/');
    const trial_case *chosen = NULL;

    if (slash != NULL && subject_open(self, name, (size_t)(slash - name))) {
        chosen = find(self->resolver != NULL ? trial_resolver_cases
                                             : trial_balancer_cases,
                      slash + 1);
    }
    if (chosen == NULL) {
        trial_skip(self, "there is no case \"%s\"", name);
        return;
    }
    chosen->run(self);
}

void trial_run(trial *self, const char *name)
{
    if (strcmp(name, "load") == 0) {
        subject_load(self);
    } else {
        run_case(self, name);
    }
    if (!trial_is_over(self)) {
        self->report->result = TRIAL_PASSED;
    }
}
