/* SPDX-License-Identifier: Apache-2.0 */
/* A fake host for one resolver instance: makes it, drives it, stops it. */
#include "resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Rounds at one virtual moment after which a plugin is called restless. */
#define MAX_ROUNDS 100000
#define STOP_TIMEOUT_MS 5000

/* ---- making ---- */

static bool has_option(const muster_resolver_class *class_, const char *name)
{
    for (uint32_t i = 0; i < class_->n_options; i++) {
        if (strcmp(class_->options[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static muster_status
check_options(const muster_testkit_resolver_options *options,
              const muster_resolver_class *class_, muster_error *err)
{
    if (class_->create == NULL || class_->start == NULL ||
        class_->free == NULL || class_->scheme == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "class without scheme, create, start or free");
    }
    for (uint32_t i = 0; i < options->n_options; i++) {
        if (!has_option(class_, options->options[i].key)) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "%s: unknown option \"%s\"", class_->scheme,
                                    options->options[i].key);
        }
    }
    return MUSTER_OK;
}

static const muster_resolver_class *
class_of(const muster_testkit_resolver_options *options)
{
    const muster_plugin *plugin = options->plugin;

    if (options->resolver_class == NULL && plugin != NULL &&
        plugin->n_resolvers > 0) {
        return plugin->resolvers[0];
    }
    return options->resolver_class;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static bool make_uri(muster_testkit_resolver *kit, const char *uri)
{
    size_t size = strlen(kit->class_->scheme) + strlen(kit->authority) +
                  strlen(kit->path) +
                  sizeof "://"
                         "/";

    if (uri != NULL) {
        return testkit_copies_text(uri, &kit->uri);
    }
    kit->uri = malloc(size);
    if (kit->uri == NULL) {
        return false;
    }
    (void)snprintf(kit->uri, size, "%s://%s%s%s", kit->class_->scheme,
                   kit->authority, kit->path[0] == '/' ? "" : "/", kit->path);
    return true;
}

static muster_status copy_options(muster_testkit_resolver *kit,
                                  const muster_testkit_resolver_options *from)
{
    kit->n_names = from->n_names;
    if (!testkit_copies_text(or_empty(from->authority), &kit->authority) ||
        !testkit_copies_text(or_empty(from->path), &kit->path) ||
        !make_uri(kit, from->uri) ||
        testkit_copies_attributes(from->options, from->n_options,
                                  &kit->options) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    return testkit_copies_attributes(from->names, from->n_names, &kit->names);
}

static void fill_env(muster_testkit_resolver *kit, uint32_t n_options)
{
    kit->env.struct_size = (uint32_t)sizeof kit->env;
    kit->env.n_options = n_options;
    kit->env.host = &testkit_resolver_host;
    kit->env.ctx = &kit->caller;
    kit->env.shared = kit->shared;
    kit->env.uri = kit->uri;
    kit->env.authority = kit->authority;
    kit->env.path = kit->path;
    kit->env.options = kit->options;
}

/* Releases kit, of which nothing of the plugin is left. */
static void release(muster_testkit_resolver *kit)
{
    while (kit->queries != NULL) {
        testkit_resolver_query *query = kit->queries;

        kit->queries = query->next;
        free(query->name);
        free(query);
    }
    testkit_inbox_fini(&kit->inbox);
    testkit_watches_fini(&kit->watches);
    testkit_agenda_fini(&kit->agenda);
    free(kit->names);
    free(kit->options);
    free(kit->path);
    free(kit->authority);
    free(kit->uri);
    free(kit);
}

static void init_caller(muster_testkit_resolver *kit,
                        testkit_resolver_caller *caller, const char *name)
{
    caller->kit = kit;
    caller->name = name;
    atomic_init(&caller->is_closed, false);
}

static muster_status make_kit(const muster_testkit_resolver_options *options,
                              const muster_resolver_class *class_,
                              muster_testkit_resolver **ret_kit)
{
    muster_testkit_resolver *kit = calloc(1, sizeof *kit);

    if (kit == NULL) {
        return MUSTER_NOMEM;
    }
    if (testkit_watches_init(&kit->watches) != MUSTER_OK) {
        free(kit);
        return MUSTER_EXHAUSTED;
    }
    kit->plugin = options->plugin;
    kit->class_ = class_;
    kit->driver = pthread_self();
    init_caller(kit, &kit->plugin_caller, "the plugin");
    init_caller(kit, &kit->caller, class_->scheme);
    testkit_agenda_init(&kit->agenda, options->seed);
    testkit_inbox_init(&kit->inbox);
    testkit_violations_init(&kit->violations);
    if (copy_options(kit, options) != MUSTER_OK) {
        release(kit);
        return MUSTER_NOMEM;
    }
    *ret_kit = kit;
    return MUSTER_OK;
}

static void call_fini(muster_testkit_resolver *kit)
{
    if (kit->plugin != NULL && kit->plugin->fini != NULL) {
        kit->plugin->fini(kit->shared);
    }
    if (testkit_watches_count(&kit->watches, &kit->plugin_caller) > 0) {
        testkit_violations_add(
            &kit->violations,
            "the plugin still watches a descriptor after fini()");
    }
    atomic_store(&kit->plugin_caller.is_closed, true);
}

static muster_status call_create(muster_testkit_resolver *kit,
                                 uint32_t n_options, muster_error *err)
{
    muster_status status = MUSTER_OK;

    if (kit->plugin != NULL && kit->plugin->init != NULL) {
        status = kit->plugin->init(&testkit_resolver_plugin_host,
                                   &kit->plugin_caller, &kit->shared, err);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    fill_env(kit, n_options);
    kit->is_creating = true;
    status = kit->class_->create(&kit->env, &kit->self, err);
    kit->is_creating = false;
    if (status != MUSTER_OK) {
        call_fini(kit);
    }
    return status;
}

muster_status
muster_testkit_resolver_create(const muster_testkit_resolver_options *options,
                               muster_testkit_resolver **ret_kit,
                               muster_error *err)
{
    const muster_resolver_class *class_ = class_of(options);
    muster_error unused;
    muster_testkit_resolver *kit;
    muster_status status;

    if (err == NULL) {
        err = &unused;
    }
    if (class_ == NULL) {
        return muster_error_set(err, MUSTER_INVAL, "no resolver class given");
    }
    status = check_options(options, class_, err);
    if (status != MUSTER_OK) {
        return status;
    }
    status = make_kit(options, class_, &kit);
    if (status != MUSTER_OK) {
        return muster_error_set(err, status, "cannot make the kit");
    }
    status = call_create(kit, options->n_options, err);
    if (status != MUSTER_OK) {
        testkit_violations_fini(&kit->violations);
        release(kit);
        return status;
    }
    *ret_kit = kit;
    return MUSTER_OK;
}

/* ---- driving ---- */

void muster_testkit_resolver_start(muster_testkit_resolver *kit)
{
    kit->class_->start(kit->self);
}

void muster_testkit_resolver_refresh(muster_testkit_resolver *kit)
{
    if (kit->class_->refresh != NULL) {
        kit->class_->refresh(kit->self);
    }
}

void muster_testkit_resolver_applied(muster_testkit_resolver *kit,
                                     uint64_t sequence, muster_status status)
{
    if (kit->class_->applied != NULL) {
        kit->class_->applied(kit->self, sequence, status);
    }
}

/* After stopped() the instance's posts, timers and watches must not run. */
static void drop_if_stopped(muster_testkit_resolver *kit)
{
    if (atomic_load(&kit->caller.is_closed)) {
        testkit_agenda_clear(&kit->agenda, &kit->caller);
    }
}

/* One round of what is due and of what is ready. */
static unsigned run_round(muster_testkit_resolver *kit, int timeout_ms)
{
    unsigned n_run;

    drop_if_stopped(kit);
    n_run = testkit_agenda_run_due(&kit->agenda);
    return n_run + testkit_watches_run(&kit->watches,
                                       n_run > 0 ? 0 : timeout_ms,
                                       &kit->violations);
}

unsigned muster_testkit_resolver_step(muster_testkit_resolver *kit)
{
    unsigned n_run = 0;

    for (unsigned round = 0; round < MAX_ROUNDS; round++) {
        unsigned n_more = run_round(kit, 0);

        if (n_more == 0) {
            return n_run;
        }
        n_run += n_more;
    }
    testkit_violations_add(
        &kit->violations,
        "%s: busy without end at one moment: a timer of 0 ms that "
        "repeats, or a descriptor that stays ready",
        kit->class_->scheme);
    return n_run;
}

unsigned muster_testkit_resolver_advance(muster_testkit_resolver *kit,
                                         uint64_t delay_ms)
{
    uint64_t limit_ns =
        testkit_agenda_now_ns(&kit->agenda) + delay_ms * 1000000;
    unsigned n_run = muster_testkit_resolver_step(kit);

    while (testkit_agenda_move(&kit->agenda, limit_ns)) {
        unsigned n_more = muster_testkit_resolver_step(kit);

        n_run += n_more;
        if (n_more >= MAX_ROUNDS) {
            break;
        }
    }
    return n_run;
}

unsigned muster_testkit_resolver_poll(muster_testkit_resolver *kit,
                                      int timeout_ms)
{
    unsigned n_events = atomic_exchange(&kit->n_outside, 0);

    if (n_events > 0) {
        timeout_ms = 0;
    }
    n_events += run_round(kit, timeout_ms);
    n_events += muster_testkit_resolver_step(kit);
    return n_events + atomic_exchange(&kit->n_outside, 0);
}

static uint64_t real_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

muster_status muster_testkit_resolver_await(muster_testkit_resolver *kit,
                                            uint64_t count, int timeout_ms)
{
    uint64_t deadline_ms = real_now_ms() + (uint64_t)timeout_ms;

    for (;;) {
        const muster_testkit_resolver_seen *seen =
            muster_testkit_resolver_get(kit);
        uint64_t now_ms = real_now_ms();

        if (seen->n_reports + seen->n_deltas + seen->n_failures >= count) {
            return MUSTER_OK;
        }
        if (now_ms >= deadline_ms) {
            return MUSTER_TIMEOUT;
        }
        (void)muster_testkit_resolver_poll(kit, (int)(deadline_ms - now_ms));
    }
}

const muster_testkit_resolver_seen *
muster_testkit_resolver_get(muster_testkit_resolver *kit)
{
    if (testkit_inbox_fold(&kit->inbox) != MUSTER_OK) {
        testkit_violations_add(&kit->violations, "out of memory in the kit");
    }
    kit->inbox.seen.n_timers = testkit_agenda_size(&kit->agenda);
    kit->inbox.seen.n_watches = kit->watches.n;
    kit->inbox.seen.n_refused = atomic_load(&kit->n_refused);
    kit->inbox.seen.refusal = or_empty(atomic_load(&kit->refusal));
    kit->inbox.seen.n_late_calls = atomic_load(&kit->n_late);
    return &kit->inbox.seen;
}

uint64_t muster_testkit_resolver_now_ms(muster_testkit_resolver *kit)
{
    return testkit_agenda_now_ns(&kit->agenda) / 1000000;
}

void muster_testkit_resolver_break_host(muster_testkit_resolver *kit,
                                        muster_status status, uint64_t n_calls)
{
    atomic_store(&kit->broken, (int)status);
    atomic_store(&kit->n_broken, n_calls);
}

const char *muster_testkit_resolver_violations(muster_testkit_resolver *kit)
{
    return testkit_violations_read(&kit->violations);
}

/* ---- stopping ---- */

void muster_testkit_resolver_begin_stop(muster_testkit_resolver *kit)
{
    if (kit->is_stopping) {
        return;
    }
    kit->is_stopping = true;
    if (kit->class_->stop == NULL) {
        atomic_store(&kit->caller.is_closed, true);
    } else {
        kit->class_->stop(kit->self);
    }
}

int muster_testkit_resolver_is_stopped(muster_testkit_resolver *kit)
{
    return atomic_load(&kit->caller.is_closed);
}

/* Lets the plugin work, in real and virtual time, until it says stopped(). */
static bool wait_stopped(muster_testkit_resolver *kit)
{
    uint64_t deadline_ms = real_now_ms() + STOP_TIMEOUT_MS;

    while (!muster_testkit_resolver_is_stopped(kit)) {
        if (real_now_ms() > deadline_ms) {
            return false;
        }
        if (muster_testkit_resolver_poll(kit, 1) == 0 &&
            testkit_agenda_size(&kit->agenda) > 0) {
            (void)testkit_agenda_move(&kit->agenda, UINT64_MAX);
            (void)muster_testkit_resolver_step(kit);
        }
    }
    return true;
}

muster_status muster_testkit_resolver_stop(muster_testkit_resolver *kit)
{
    if (kit->is_finished) {
        return MUSTER_OK;
    }
    muster_testkit_resolver_begin_stop(kit);
    kit->is_finished = true;
    if (!wait_stopped(kit)) {
        testkit_violations_add(&kit->violations, "%s: no stopped() within 5 s",
                               kit->class_->scheme);
        return MUSTER_TIMEOUT;
    }
    drop_if_stopped(kit);
    if (testkit_watches_count(&kit->watches, &kit->caller) > 0) {
        testkit_violations_add(&kit->violations,
                               "%s: still watches a descriptor after stopped()",
                               kit->class_->scheme);
    }
    kit->class_->free(kit->self);
    call_fini(kit);
    return MUSTER_OK;
}

void muster_testkit_resolver_destroy(muster_testkit_resolver *kit)
{
    if (kit == NULL) {
        return;
    }
    (void)muster_testkit_resolver_stop(kit);
    testkit_violations_fini(&kit->violations);
    release(kit);
}
