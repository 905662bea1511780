/* SPDX-License-Identifier: Apache-2.0 */
/* One case of the suite, run on one class of a plugin. */
#ifndef MUSTER_TOOLS_TRIAL_H
#define MUSTER_TOOLS_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include <muster/plugin.h>

typedef enum trial_result {
    TRIAL_SILENT = 0, /* it ended without a word */
    TRIAL_PASSED = 1,
    TRIAL_FAILED = 2,
    TRIAL_SKIPPED = 3
} trial_result;

/* What a case has to say. In memory that both processes see: the one that runs
 * the case may crash or hang at any moment. */
typedef struct trial_report {
    trial_result result;
    bool is_hung;                        /* it was ended by its time-out */
    muster_status status;                /* of loading the plugin */
    char step[128];                      /* what is being called: "start()" */
    char detail[768];                    /* one sentence */
    char classes[MUSTER_NOTE_TEXT_SIZE]; /* of the plugin: "resolver:x" */
} trial_report;

typedef struct trial {
    trial_report *report;
    const char *file;
    const char *target;        /* or NULL */
    const char *policy_config; /* or NULL */
    uint64_t timeout_ms;       /* the parent's patience */
    const muster_plugin *plugin;
    const muster_resolver_class *resolver; /* or NULL */
    const muster_balancer_class *balancer; /* or NULL */
} trial;

/* A case of all classes of a kind. */
typedef struct trial_case {
    const char *name;
    void (*run)(trial *self);
} trial_case;

/* Ended by one without a name. The first is what all others rest on: when it
 * does not pass, they are not run. */
extern const trial_case trial_resolver_cases[];
extern const trial_case trial_balancer_cases[];

/* Runs the case called name, "load" or "CLASS/CASE", in this process. */
void trial_run(trial *self, const char *name);

/* Says what is being called from now on: "start()". */
MUSTER_FORMAT_(2, 3)
void trial_step(trial *self, const char *format, ...);

/* The first word counts: a case ends with it as it likes. */
MUSTER_FORMAT_(2, 3)
void trial_fail(trial *self, const char *format, ...);
MUSTER_FORMAT_(2, 3)
void trial_skip(trial *self, const char *format, ...);
bool trial_is_over(const trial *self);

/* Fails with the first line of violations, unless they are "". */
void trial_take_violations(trial *self, const char *violations);

/* Fails when what() filled err badly. True: err can be shown. */
bool trial_check_error(trial *self, const char *what, muster_status status,
                       const muster_error *err);

/* Milliseconds of real time, monotonic. */
uint64_t trial_now_ms(void);

#endif
