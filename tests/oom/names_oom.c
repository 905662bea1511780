/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a name lookup fails once: the plugin that asked is told
 * so, once, nothing leaks, and the next lookup is answered. */
#include <muster/muster.h>

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"
#include "loop.h"
#include "passes.h"
#include "timing.h"

static const muster_plugin_host *host;
static void *host_ctx;
static sem_t over;
static muster_status outcome; /* written before over is posted */

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
        passes_die("the answer is another");
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

static bool run(void *arg, const passes_failure *failure)
{
    muster_status status;
    bool has_failed;

    (void)arg;
    failing_malloc_arm(failure->countdown, failure->n);
    status = look_up();
    has_failed = failing_malloc_disarm();
    /* A list that was lost on its way leaves only the time. */
    if (status != MUSTER_OK && status != MUSTER_NOMEM &&
        status != MUSTER_TIMEOUT) {
        passes_die(muster_status_name(status));
    }
    if (status != MUSTER_OK && !has_failed) {
        passes_die("failed without a reason");
    }
    status = look_up();
    if (status != MUSTER_OK) {
        passes_die("no answer when memory is back");
    }
    return has_failed;
}

static void on_event(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)event;
}

int main(int argc, char **argv)
{
    muster_watch *watch = NULL;
    int code;

    (void)sem_init(&over, 0, 0);
    muster__timing_scale_waits_for_test(6); /* a lookup has five seconds */
    if (muster_plugin_register(plugin_entry, NULL) != MUSTER_OK ||
        muster_watch_create("dns:///keeps.init", on_event, NULL, &watch,
                            NULL) != MUSTER_OK) {
        passes_die("cannot begin");
    }
    code = passes_run(argc, argv, run, NULL);
    muster_watch_destroy(watch);
    if (muster_shutdown() != MUSTER_OK) {
        passes_die("something is left behind");
    }
    return code;
}
