/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a service config without a channel, for people. */
#include <muster/service_config.h>

#include <fork.h>
#include <policy_trial.h>

#include "place.h"
#include "service_config.h"

/* The control thread makes the policy and forgets it. */
static muster_status try_policy(void *arg, const char *name,
                                const char *config_json, muster_error *err)
{
    (void)arg;
    return muster__policy_try(name, config_json, err);
}

static void tell(const muster__problem *problem, const char *json,
                 size_t length, muster_config_problem_fn fn, void *arg)
{
    muster_config_problem told = {
        .struct_size = (uint32_t)sizeof told,
        .line = problem->line,
        .column = problem->column,
        .path = problem->path,
        .text = problem->text,
    };

    if (told.line == 0) {
        muster__place_find(json, length, told.path, &told.line, &told.column);
    }
    fn(arg, &told);
}

muster_status muster_service_config_check(const char *json, size_t length,
                                          muster_config_problem_fn fn,
                                          void *arg, muster_error *err)
{
    muster__service_config *config = NULL;
    muster__problems problems;
    muster_status status = MUSTER_OK;

    if (muster__is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    muster__problems_init(&problems);
    if (!muster__service_config_parse(json, length, try_policy, NULL, &problems,
                                      &config)) {
        status = muster__problems_status(&problems, "service config", err);
    }
    for (uint32_t i = 0; fn != NULL && i < problems.n; i++) {
        tell(&problems.items[i], json, length, fn, arg);
    }
    muster__service_config_unref(config);
    muster__problems_fini(&problems);
    return status;
}
