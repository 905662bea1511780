/* SPDX-License-Identifier: Apache-2.0 */
/* The testkit's resolver host, driven by small resolvers with known manners. */
#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A resolver that does what the test puts into these. */
typedef struct script {
    const muster_resolver_env *env;
    int fd;
    unsigned n_called;
    uint64_t called_at_ms;
    int is_freed;
    int forgets_watch;
    int is_late; /* calls stopped() by a timer */
} script;

static script script_now;

static muster_status script_create(const muster_resolver_env *env,
                                   void **ret_self, muster_error *err)
{
    if (strcmp(env->path, "bad") == 0) {
        return muster_error_set(err, MUSTER_INVAL, "path is bad");
    }
    script_now.env = env;
    *ret_self = &script_now;
    return MUSTER_OK;
}

static void note_call(void *arg)
{
    script *self = arg;

    self->n_called++;
    self->called_at_ms = self->env->host->now_ms(self->env->ctx);
}

static void script_start(void *self)
{
    (void)self;
}

static void say_stopped(void *arg)
{
    script *self = arg;

    self->env->host->stopped(self->env->ctx);
}

static void script_stop(void *arg)
{
    script *self = arg;

    if (self->fd > 0 && !self->forgets_watch) {
        (void)self->env->host->watch(self->env->ctx, self->fd, 0, NULL, NULL);
    }
    if (self->is_late) {
        (void)muster_call_later(self->env, 300, say_stopped, self);
    } else {
        say_stopped(self);
    }
}

static void script_free(void *arg)
{
    script *self = arg;

    self->is_freed = 1;
}

static const muster_option_info script_options[] = {{"colour", "any"}};

static const muster_resolver_class script_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "script",
    .options = script_options,
    .n_options = 1,
    .create = script_create,
    .start = script_start,
    .stop = script_stop,
    .free = script_free,
};

static muster_testkit_resolver *make_kit(void)
{
    const muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .resolver_class = &script_class,
        .path = "x"};
    muster_testkit_resolver *kit = NULL;
    muster_error err = {0};

    script_now = (script){0};
    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_OK, "%s", err.message);
    muster_testkit_resolver_start(kit);
    return kit;
}

Test(testkit_resolver, gives_the_class_its_target_and_options)
{
    const muster_attribute given[] = {{"colour", "red"}};
    const muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .resolver_class = &script_class,
        .authority = "a:1",
        .path = "x/y",
        .options = given,
        .n_options = 1};
    muster_testkit_resolver *kit = NULL;

    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, NULL),
                 MUSTER_OK);
    cr_expect_str_eq(script_now.env->uri, "script://a:1/x/y");
    cr_expect_str_eq(script_now.env->authority, "a:1");
    cr_expect_str_eq(muster_option(script_now.env, "colour", "?"), "red");
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, refuses_an_option_that_the_class_does_not_know)
{
    const muster_attribute given[] = {{"size", "9"}};
    const muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .resolver_class = &script_class,
        .options = given,
        .n_options = 1};
    muster_testkit_resolver *kit = NULL;
    muster_error err = {0};

    cr_expect_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_INVAL);
    cr_expect(strstr(err.message, "size"));
}

Test(testkit_resolver, hands_on_the_error_of_create)
{
    const muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .resolver_class = &script_class,
        .path = "bad"};
    muster_testkit_resolver *kit = NULL;
    muster_error err = {0};

    cr_expect_eq(muster_testkit_resolver_create(&options, &kit, &err),
                 MUSTER_INVAL);
    cr_expect_str_eq(err.message, "path is bad");
    cr_expect_null(kit);
}

Test(testkit_resolver, keeps_a_deep_copy_of_the_last_list)
{
    muster_testkit_resolver *kit = make_kit();
    char address[] = "10.0.0.1:80";
    muster_attribute attribute = {"k", "v"};
    muster_endpoint endpoint = {.address = address,
                                .weight = 3,
                                .attributes = &attribute,
                                .n_attributes = 1};
    const muster_testkit_resolver_seen *seen;

    cr_assert_eq(muster_report(script_now.env, &endpoint, 1), MUSTER_OK);
    address[3] = '9';
    attribute.value = "w";
    seen = muster_testkit_resolver_get(kit);
    cr_expect_eq(seen->n_reports, 1);
    cr_expect_eq(seen->sequence, 1);
    cr_assert_eq(seen->n_endpoints, 1);
    cr_expect_str_eq(seen->endpoints[0].address, "10.0.0.1:80");
    cr_expect_str_eq(seen->endpoints[0].attributes[0].value, "v");
    cr_expect_eq(seen->endpoints[0].weight, 3);
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, adds_deltas_to_the_list)
{
    muster_testkit_resolver *kit = make_kit();
    const muster_endpoint all[] = {{.address = "10.0.0.1:80"},
                                   {.address = "10.0.0.2:80"}};
    const muster_endpoint heavier[] = {{.address = "10.0.0.2:80", .weight = 7},
                                       {.address = "10.0.0.3:80"}};
    const muster_delta delta = {.struct_size = (uint32_t)sizeof delta,
                                .endpoint_size = (uint32_t)sizeof all[0],
                                .upserted = heavier,
                                .n_upserted = 2,
                                .removed = all,
                                .n_removed = 1};
    const muster_testkit_resolver_seen *seen;

    cr_assert_eq(muster_report(script_now.env, all, 2), MUSTER_OK);
    cr_assert_eq(
        script_now.env->host->report_delta(script_now.env->ctx, &delta, NULL),
        MUSTER_OK);
    seen = muster_testkit_resolver_get(kit);
    cr_expect_eq(seen->n_deltas, 1);
    cr_assert_eq(seen->n_endpoints, 2);
    cr_expect_str_eq(seen->endpoints[0].address, "10.0.0.2:80");
    cr_expect_eq(seen->endpoints[0].weight, 7);
    cr_expect_str_eq(seen->endpoints[1].address, "10.0.0.3:80");
    cr_expect_eq(seen->n_removed, 1);
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, refuses_an_address_with_a_host_name)
{
    static const char *const bad[] = {
        "host:80", "10.0.0.1", "10.0.0.1:70000", "[::1:80", "::1:80",
        "unix:",   "",         "10.0.0.1:80x"};
    static const char *const good[] = {"10.0.0.1:80", "[::1]:80",
                                       "[fe80::1%eth0]:80", "unix:/x",
                                       "unix-abstract:x"};
    muster_testkit_resolver *kit = make_kit();

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const muster_endpoint endpoint = {.address = bad[i]};

        cr_expect_eq(muster_report(script_now.env, &endpoint, 1), MUSTER_INVAL,
                     "%s", bad[i]);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const muster_endpoint endpoint = {.address = good[i]};

        cr_expect_eq(muster_report(script_now.env, &endpoint, 1), MUSTER_OK,
                     "%s", good[i]);
    }
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, records_a_failure_with_its_message)
{
    muster_testkit_resolver *kit = make_kit();
    const muster_testkit_resolver_seen *seen;

    muster_fail(script_now.env, MUSTER_REFUSED, "nobody there");
    seen = muster_testkit_resolver_get(kit);
    cr_expect_eq(seen->n_failures, 1);
    cr_expect_eq(seen->failure, MUSTER_REFUSED);
    cr_expect_str_eq(seen->failure_message, "nobody there");
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, runs_a_timer_at_its_virtual_time)
{
    muster_testkit_resolver *kit = make_kit();

    (void)muster_call_later(script_now.env, 86400000, note_call, &script_now);
    (void)muster_testkit_resolver_advance(kit, 86399999);
    cr_expect_eq(script_now.n_called, 0);
    (void)muster_testkit_resolver_advance(kit, 5);
    cr_expect_eq(script_now.n_called, 1);
    cr_expect_eq(script_now.called_at_ms, 86400000);
    cr_expect_eq(muster_testkit_resolver_now_ms(kit), 86400004);
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, does_not_run_a_cancelled_timer)
{
    muster_testkit_resolver *kit = make_kit();
    const muster_resolver_host *host = script_now.env->host;
    uint64_t timer = 0;

    (void)host->call_later(script_now.env->ctx, 5, note_call, &script_now,
                           &timer);
    cr_expect_neq(timer, 0);
    host->cancel(script_now.env->ctx, timer);
    (void)muster_testkit_resolver_advance(kit, 10);
    cr_expect_eq(script_now.n_called, 0);
    muster_testkit_resolver_destroy(kit);
}

static void *post_from_thread(void *arg)
{
    script *self = arg;
    const muster_endpoint endpoint = {.address = "10.0.0.1:80"};

    (void)self->env->host->post(self->env->ctx, note_call, self);
    (void)muster_report(self->env, &endpoint, 1);
    return NULL;
}

Test(testkit_resolver, runs_what_another_thread_posted)
{
    muster_testkit_resolver *kit = make_kit();
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, post_from_thread, &script_now),
                 0);
    cr_expect_eq(muster_testkit_resolver_await(kit, 1, 10000), MUSTER_OK);
    (void)pthread_join(thread, NULL);
    (void)muster_testkit_resolver_step(kit);
    cr_expect_eq(script_now.n_called, 1);
    cr_expect_eq(muster_testkit_resolver_get(kit)->n_endpoints, 1);
    muster_testkit_resolver_destroy(kit);
}

static void note_ready(void *arg, int fd, unsigned events)
{
    script *self = arg;
    uint64_t count;

    cr_expect_eq(events, MUSTER_READABLE);
    cr_expect_eq(read(fd, &count, sizeof count), (ssize_t)sizeof count);
    self->n_called++;
}

static void watch_event(int fd)
{
    script_now.fd = fd;
    cr_assert_eq(script_now.env->host->watch(script_now.env->ctx, fd,
                                             MUSTER_READABLE, note_ready,
                                             &script_now),
                 MUSTER_OK);
}

Test(testkit_resolver, polls_a_watched_descriptor)
{
    muster_testkit_resolver *kit = make_kit();
    int fd = eventfd(0, EFD_CLOEXEC);
    uint64_t one = 1;

    watch_event(fd);
    cr_expect_eq(muster_testkit_resolver_poll(kit, 0), 0);
    cr_assert_eq(write(fd, &one, sizeof one), (ssize_t)sizeof one);
    cr_expect_eq(muster_testkit_resolver_poll(kit, 10000), 1);
    cr_expect_eq(script_now.n_called, 1);
    muster_testkit_resolver_destroy(kit);
    (void)close(fd);
}

Test(testkit_resolver, refuses_to_watch_a_regular_file)
{
    muster_testkit_resolver *kit = make_kit();
    FILE *file = tmpfile();

    cr_expect_eq(script_now.env->host->watch(script_now.env->ctx, fileno(file),
                                             MUSTER_READABLE, note_ready,
                                             &script_now),
                 MUSTER_INVAL);
    (void)fclose(file);
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, breaks_host_calls_on_demand)
{
    muster_testkit_resolver *kit = make_kit();
    const muster_endpoint endpoint = {.address = "10.0.0.1:80"};

    muster_testkit_resolver_break_host(kit, MUSTER_NOMEM, 1);
    cr_expect_eq(muster_report(script_now.env, &endpoint, 1), MUSTER_NOMEM);
    cr_expect_eq(muster_report(script_now.env, &endpoint, 1), MUSTER_OK);
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, waits_for_a_late_stopped_in_virtual_time)
{
    muster_testkit_resolver *kit = make_kit();

    script_now.is_late = 1;
    muster_testkit_resolver_begin_stop(kit);
    cr_expect_not(muster_testkit_resolver_is_stopped(kit));
    cr_expect_eq(muster_testkit_resolver_stop(kit), MUSTER_OK);
    cr_expect(script_now.is_freed);
    cr_expect_str_eq(muster_testkit_resolver_violations(kit), "");
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, notices_a_watch_that_outlives_stopped)
{
    muster_testkit_resolver *kit = make_kit();
    int fd = eventfd(0, EFD_CLOEXEC);

    watch_event(fd);
    script_now.forgets_watch = 1;
    (void)muster_testkit_resolver_stop(kit);
    cr_expect(strstr(muster_testkit_resolver_violations(kit),
                     "still watches a descriptor"));
    muster_testkit_resolver_destroy(kit);
    (void)close(fd);
}

static void repeat(void *arg)
{
    script *self = arg;

    (void)muster_call_later(self->env, 0, repeat, self);
}

Test(testkit_resolver, notices_a_timer_that_never_rests)
{
    muster_testkit_resolver *kit = make_kit();

    repeat(&script_now);
    (void)muster_testkit_resolver_step(kit);
    cr_expect(
        strstr(muster_testkit_resolver_violations(kit), "busy without end"));
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, notices_calls_without_what_they_need)
{
    muster_testkit_resolver *kit = make_kit();
    const muster_resolver_host *host = script_now.env->host;
    void *ctx = script_now.env->ctx;
    muster_update update = {.struct_size = sizeof update, .n_endpoints = 1};

    cr_expect_eq(host->report(ctx, NULL, NULL), MUSTER_INVAL);
    cr_expect_eq(host->report(ctx, &update, NULL), MUSTER_INVAL);
    update = (muster_update){.struct_size = sizeof update, .flags = 1u << 31};
    cr_expect_eq(host->report(ctx, &update, NULL), MUSTER_INVAL);
    update = (muster_update){.struct_size = sizeof update, .reserved = 1};
    cr_expect_eq(host->report(ctx, &update, NULL), MUSTER_INVAL);
    cr_expect_eq(host->report_delta(ctx, NULL, NULL), MUSTER_INVAL);
    cr_expect_eq(host->post(ctx, NULL, NULL), MUSTER_INVAL);
    cr_expect_eq(host->call_later(ctx, 0, NULL, NULL, NULL), MUSTER_INVAL);
    cr_expect_str_eq(muster_testkit_resolver_violations(kit),
                     "script: report() of an update without its fields\n"
                     "script: report() of endpoints at a null pointer\n"
                     "script: report() with flags that do not exist\n"
                     "script: report() with flags that do not exist\n"
                     "script: report_delta() of a delta without its fields\n"
                     "script: post() of no function\n"
                     "script: call_later() of no function\n");
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, says_what_is_wrong_with_a_refused_report)
{
    muster_testkit_resolver *kit = make_kit();
    const muster_endpoint endpoint = {.address = "a-name:80"};
    const muster_testkit_resolver_seen *seen;

    cr_expect_eq(muster_report(script_now.env, &endpoint, 1), MUSTER_INVAL);
    seen = muster_testkit_resolver_get(kit);
    cr_expect_eq(seen->n_refused, 1);
    cr_expect(strstr(seen->refusal, "address"), "%s", seen->refusal);
    muster_testkit_resolver_destroy(kit);
}

Test(testkit_resolver, counts_calls_after_stopped)
{
    muster_testkit_resolver *kit = make_kit();
    const muster_endpoint endpoint = {.address = "10.0.0.1:80"};

    cr_assert_eq(muster_testkit_resolver_stop(kit), MUSTER_OK);
    cr_expect_eq(muster_testkit_resolver_get(kit)->n_late_calls, 0);
    cr_expect_eq(muster_report(script_now.env, &endpoint, 1), MUSTER_CLOSED);
    cr_expect_eq(muster_testkit_resolver_get(kit)->n_late_calls, 1);
    muster_testkit_resolver_destroy(kit);
}

/* ---- the plugin as such ---- */

typedef struct answer {
    muster_status status;
    size_t n_addresses;
    char first[32];
} answer;

static void note_answer(void *arg, muster_status status,
                        const char *const *addresses, size_t n_addresses)
{
    answer *seen = arg;

    seen->status = status;
    seen->n_addresses = n_addresses;
    if (n_addresses > 0) {
        (void)snprintf(seen->first, sizeof seen->first, "%s", addresses[0]);
    }
}

static answer answer_now;
static int n_finished;

static muster_status plugin_init(const muster_plugin_host *host, void *ctx,
                                 void **ret_shared, muster_error *err)
{
    (void)err;
    *ret_shared = &answer_now;
    return host->resolve(ctx, "agent", note_answer, &answer_now);
}

static void plugin_fini(void *shared)
{
    cr_expect_eq(shared, &answer_now);
    n_finished++;
}

Test(testkit_resolver, serves_the_plugin_as_such)
{
    static const muster_resolver_class *const classes[] = {&script_class};
    static const muster_plugin plugin = {.struct_size = (uint32_t)sizeof plugin,
                                         .name = "script",
                                         .resolvers = classes,
                                         .n_resolvers = 1,
                                         .init = plugin_init,
                                         .fini = plugin_fini};
    const muster_attribute names[] = {{"agent", "10.9.9.9:1"},
                                      {"agent", "10.9.9.8:1"}};
    const muster_testkit_resolver_options options = {
        .struct_size = (uint32_t)sizeof options,
        .plugin = &plugin,
        .names = names,
        .n_names = 2};
    muster_testkit_resolver *kit = NULL;

    cr_assert_eq(muster_testkit_resolver_create(&options, &kit, NULL),
                 MUSTER_OK);
    cr_expect_eq(script_now.env->shared, &answer_now);
    (void)muster_testkit_resolver_step(kit);
    cr_expect_eq(answer_now.n_addresses, 2);
    cr_expect_str_eq(answer_now.first, "10.9.9.9:1");
    muster_testkit_resolver_destroy(kit);
    cr_expect_eq(n_finished, 1);
}
