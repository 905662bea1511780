/* SPDX-License-Identifier: Apache-2.0 */
/* One life of a resolver on the test kit, each step of it named. */
#include "resolver_life.h"

#include <string.h>
#include <strings.h>

enum {
    /* A source that is reached by a network answers within it. */
    PATIENCE_MS = 2000,
    /* Then timers that a real host would run by and by. */
    MAX_ADVANCES = 120,
    ADVANCE_MS = 1000,
    /* What stop() may take that must not block; a busy machine's included. */
    STOP_LIMIT_MS = 1000
};

/* ---- the target ---- */

static bool is_of_class(const char *target, const char *scheme)
{
    size_t length = strlen(scheme);

    return strncasecmp(target, scheme, length) == 0 && target[length] == ':';
}

bool resolver_life_target(trial *self, target_parts *ret_parts)
{
    muster_error err = {.code = MUSTER_OK};

    *ret_parts = (target_parts){.uri = NULL};
    if (self->target == NULL ||
        !is_of_class(self->target, self->resolver->scheme)) {
        return true;
    }
    if (target_parts_read(self->resolver, self->target, ret_parts, &err) !=
        MUSTER_OK) {
        trial_fail(self, "the target is malformed: %.500s", err.message);
        return false;
    }
    return true;
}

/* ---- life ---- */

static void say_refused(trial *self, const target_parts *parts,
                        muster_status status, const muster_error *err)
{
    if (!trial_check_error(self, "create()", status, err)) {
        return;
    }
    if (parts->uri == NULL) {
        trial_skip(self,
                   "create() refuses \"%s:///\" (%.400s): add --target "
                   "%s:///NAME, with a NAME that it can resolve",
                   self->resolver->scheme, err->message,
                   self->resolver->scheme);
    } else {
        trial_fail(self, "create() fails: %.500s", err->message);
    }
}

bool resolver_life_begin(resolver_life *self, trial *run,
                         const target_parts *parts)
{
    const muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .plugin = run->plugin,
        .resolver_class = run->resolver,
        .uri = parts->uri,
        .authority = parts->authority,
        .path = parts->path,
        .options = parts->options,
        .n_options = parts->n_options,
        .seed = 1,
    };
    muster_error err = {.code = MUSTER_OK};
    muster_status status;

    *self = (resolver_life){.trial = run};
    trial_step(run, "create()");
    status = muster_testkit_resolver_create(&options, &self->kit, &err);
    if (status != MUSTER_OK) {
        self->kit = NULL;
        say_refused(run, parts, status, &err);
    }
    return status == MUSTER_OK;
}

void resolver_life_start(resolver_life *self)
{
    trial_step(self->trial, "start()");
    muster_testkit_resolver_start(self->kit);
}

void resolver_life_refresh(resolver_life *self)
{
    trial_step(self->trial, "refresh()");
    muster_testkit_resolver_refresh(self->kit);
}

static void tell_applied(resolver_life *self)
{
    uint64_t sequence = muster_testkit_resolver_get(self->kit)->sequence;

    trial_step(self->trial, "applied()");
    while (self->applied < sequence) {
        self->applied++;
        muster_testkit_resolver_applied(self->kit, self->applied, MUSTER_OK);
    }
}

void resolver_life_step(resolver_life *self)
{
    trial_step(self->trial, "a timer, post or watch of its own");
    (void)muster_testkit_resolver_step(self->kit);
    tell_applied(self);
}

void resolver_life_advance(resolver_life *self, uint64_t delay_ms)
{
    trial_step(self->trial, "a timer, post or watch of its own");
    (void)muster_testkit_resolver_advance(self->kit, delay_ms);
    tell_applied(self);
}

uint64_t resolver_life_answers(resolver_life *self)
{
    const muster_testkit_resolver_seen *seen =
        muster_testkit_resolver_get(self->kit);

    return seen->n_reports + seen->n_deltas + seen->n_failures +
           seen->n_refused;
}

bool resolver_life_await(resolver_life *self)
{
    uint64_t deadline_ms = trial_now_ms() + PATIENCE_MS;

    trial_step(self->trial, "a timer, post or watch of its own");
    while (resolver_life_answers(self) == 0 && trial_now_ms() < deadline_ms &&
           (muster_testkit_resolver_get(self->kit)->n_timers == 0 ||
            muster_testkit_resolver_get(self->kit)->n_watches > 0)) {
        (void)muster_testkit_resolver_poll(self->kit, 10);
    }
    for (unsigned i = 0; i < MAX_ADVANCES && resolver_life_answers(self) == 0;
         i++) {
        (void)muster_testkit_resolver_advance(self->kit, ADVANCE_MS);
        (void)muster_testkit_resolver_poll(self->kit, 1);
    }
    tell_applied(self);
    return resolver_life_answers(self) > 0;
}

/* ---- the end ---- */

static void call_stop(resolver_life *self)
{
    uint64_t begun_ms = trial_now_ms();
    uint64_t taken_ms;

    trial_step(self->trial, "stop()");
    muster_testkit_resolver_begin_stop(self->kit);
    taken_ms = trial_now_ms() - begun_ms;
    if (taken_ms > STOP_LIMIT_MS) {
        trial_fail(self->trial,
                   "stop() took %llu ms; it must not block, but call stopped() "
                   "when all is done",
                   (unsigned long long)taken_ms);
    }
}

static void take_late_calls(trial *self, muster_testkit_resolver *kit)
{
    uint64_t n_calls = muster_testkit_resolver_get(kit)->n_late_calls;

    if (n_calls > 0) {
        trial_fail(self,
                   "it calls its host after stopped(), %llu times: free() may "
                   "have run by then",
                   (unsigned long long)n_calls);
    }
}

static void take_refusals(resolver_life *self)
{
    const muster_testkit_resolver_seen *seen =
        muster_testkit_resolver_get(self->kit);

    if (seen->n_refused > 0) {
        trial_fail(self->trial,
                   "%llu of its reports were refused, the last because %s",
                   (unsigned long long)seen->n_refused, seen->refusal);
    }
}

/* The last one that ended. Its host is still there, to notice calls by an
 * instance that was freed. */
static muster_testkit_resolver *retired;

static void retire(resolver_life *self)
{
    if (retired != NULL) {
        take_late_calls(self->trial, retired);
        (void)muster_testkit_resolver_violations(retired);
        muster_testkit_resolver_destroy(retired);
    }
    retired = self->kit;
    self->kit = NULL;
}

void resolver_life_end(resolver_life *self)
{
    if (self->kit == NULL) {
        return;
    }
    call_stop(self);
    trial_step(self->trial, "free(), after stopped()");
    (void)muster_testkit_resolver_stop(self->kit);
    trial_take_violations(self->trial,
                          muster_testkit_resolver_violations(self->kit));
    take_refusals(self);
    take_late_calls(self->trial, self->kit);
    retire(self);
}

void resolver_life_run(trial *self, const target_parts *parts)
{
    resolver_life life;

    if (resolver_life_begin(&life, self, parts)) {
        resolver_life_start(&life);
        resolver_life_step(&life);
        resolver_life_end(&life);
    }
}
