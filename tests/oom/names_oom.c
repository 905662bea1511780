/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a name lookup fails once: the plugin that asked is told
 * so, once, nothing leaks, and the next lookup is answered. */
#include <muster/muster.h>

#include <malloc.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"
#include "loop.h"
#include "timing.h"

static uint64_t run_number;
static const muster_plugin_host *host;
static void *host_ctx;
static sem_t over;
static muster_status outcome; /* written before over is posted */

static void die(const char *what)
{
    (void)failing_malloc_disarm();
    (void)fprintf(stderr, "allocation %llu: %s\n",
                  (unsigned long long)run_number, what);
    exit(1);
}

/* ---- a plugin that serves names, and asks for them ---- */

static muster_status plugin_init(const muster_plugin_host *given, void *ctx,
                                 void **ret_shared, muster_error *err)
{
    (void)ret_shared;
    (void)err;
    host = given;
    host_ctx = ctx;
    return MUSTER_OK;
}

static muster_status names_create(const muster_resolver_env *env,
                                  void **ret_self, muster_error *err)
{
    (void)err;
    *ret_self = (void *)(size_t)env;
    return MUSTER_OK;
}

static void names_start(void *self)
{
    const muster_endpoint endpoint = {.address = "10.0.0.1:443"};
    const muster_resolver_env *env = self;

    if (muster_report(env, &endpoint, 1) != MUSTER_OK) {
        muster_fail(env, MUSTER_NOMEM, "out of memory");
    }
}

static void names_free(void *self)
{
    (void)self;
}

static const muster_plugin *plugin_entry(void)
{
    static const muster_resolver_class class_ = {
        .struct_size = (uint32_t)sizeof class_,
        .scheme = "dns",
        .create = names_create,
        .start = names_start,
        .free = names_free,
    };
    static const muster_resolver_class *const classes[] = {&class_};
    static const muster_plugin plugin = {
        .struct_size = (uint32_t)sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "names",
        .resolvers = classes,
        .n_resolvers = 1,
        .init = plugin_init,
    };

    return &plugin;
}

/* ---- a run ---- */

static void on_answer(void *arg, muster_status status,
                      const char *const *addresses, size_t n)
{
    (void)arg;
    if (status == MUSTER_OK &&
        (n != 1 || strcmp(addresses[0], "10.0.0.1") != 0)) {
        die("the answer is another");
    }
    outcome = status;
    (void)sem_post(&over);
}

static void ask(muster__task *task)
{
    muster_status status = host->resolve(host_ctx, "one.test", on_answer, NULL);

    (void)task;
    if (status != MUSTER_OK) {
        outcome = status;
        (void)sem_post(&over);
    }
}

static muster_status look_up(void)
{
    static muster__task task = {NULL, ask};

    muster__loop_post(&task);
    while (sem_wait(&over) != 0) {
    }
    return outcome;
}

static bool run(uint64_t countdown, uint64_t n)
{
    muster_status status;
    bool has_failed;

    failing_malloc_arm(countdown, n);
    status = look_up();
    has_failed = failing_malloc_disarm();
    /* A list that was lost on its way leaves only the time. */
    if (status != MUSTER_OK && status != MUSTER_NOMEM &&
        status != MUSTER_TIMEOUT) {
        die(muster_status_name(status));
    }
    if (status != MUSTER_OK && !has_failed) {
        die("failed without a reason");
    }
    status = look_up();
    if (status != MUSTER_OK) {
        die("no answer when memory is back");
    }
    return has_failed;
}

static uint64_t run_all(uint64_t n_failing)
{
    for (run_number = 1; run(run_number, n_failing); run_number++) {
    }
    return run_number - 1;
}

static void on_event(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)event;
}

int main(void)
{
    static const uint64_t n_failing[] = {1, 8, 1, 8};
    muster_watch *watch = NULL;
    size_t before = 0;
    size_t after;

    (void)sem_init(&over, 0, 0);
    muster__timing_scale_waits_for_test(300);
    if (muster_plugin_register(plugin_entry, NULL) != MUSTER_OK ||
        muster_watch_create("dns:///keeps.init", on_event, NULL, &watch,
                            NULL) != MUSTER_OK) {
        die("cannot begin");
    }
    for (int pass = 0; pass < 4; pass++) {
        before = pass == 2 ? mallinfo2().uordblks : before;
        (void)printf("%llu allocations failed, %llu at a time\n",
                     (unsigned long long)run_all(n_failing[pass]),
                     (unsigned long long)n_failing[pass]);
    }
    after = mallinfo2().uordblks;
    muster_watch_destroy(watch);
    if (muster_shutdown() != MUSTER_OK || after > before + 4096) {
        die("something is left behind");
    }
    return 0;
}
