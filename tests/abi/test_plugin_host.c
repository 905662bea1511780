/* SPDX-License-Identifier: Apache-2.0 */
/* The process scope of a plugin: init, fini and the host between them. */
#include "plugin_host.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

/* What a test does inside init. */
typedef void (*init_fn)(void);

static const muster_plugin_host *host;
static void *host_ctx;
static init_fn in_init;
static muster_status init_answer;
static size_t n_inits;
static size_t n_finis;
static int shared_value;
static sem_t happened;
static muster__plugin_scope scope;

static muster_status plugin_init(const muster_plugin_host *given, void *ctx,
                                 void **ret_shared, muster_error *err)
{
    n_inits++;
    host = given;
    host_ctx = ctx;
    if (in_init != NULL) {
        in_init();
    }
    if (init_answer != MUSTER_OK) {
        return muster_error_set(err, init_answer, "as the test wants");
    }
    *ret_shared = &shared_value;
    return MUSTER_OK;
}

static void plugin_fini(void *shared)
{
    cr_expect_eq(shared, &shared_value);
    n_finis++;
}

static const muster_plugin descriptor = {
    .struct_size = (uint32_t)sizeof descriptor,
    .name = "hosted",
    .init = plugin_init,
    .fini = plugin_fini,
};

static void set_up(void)
{
    cr_assert_eq(sem_init(&happened, 0, 0), 0);
    cr_assert_eq(muster__loop_acquire(NULL), MUSTER_OK);
    muster__plugin_scope_prepare(&scope, &descriptor);
}

static void end_scope(void *unused)
{
    (void)unused;
    muster__plugin_scope_end(&scope);
}

static void on_control(void (*fn)(void *arg), void *arg)
{
    cr_assert_eq(muster__loop_call(fn, arg, MUSTER_FOREVER), MUSTER_OK);
}

static void tear_down(void)
{
    on_control(end_scope, NULL);
    muster__loop_release();
    cr_assert_eq(muster__loop_stop(NULL), MUSTER_OK);
    muster__plugin_scope_release(&scope);
    (void)sem_destroy(&happened);
}

TestSuite(plugin_host, .init = set_up, .fini = tear_down, .timeout = 20);

static void wait_for_it(void)
{
    while (sem_wait(&happened) != 0) {
    }
}

static bool has_happened(void)
{
    return sem_trywait(&happened) == 0;
}

static void happen(void *unused)
{
    (void)unused;
    cr_expect(muster__loop_is_current());
    (void)sem_post(&happened);
}

static muster_status use_status;
static muster_error use_error;

static void use_on_control(void *unused)
{
    void *shared = NULL;

    (void)unused;
    use_status = muster__plugin_scope_use(&scope, &shared, &use_error);
    if (use_status == MUSTER_OK) {
        cr_expect_eq(shared, &shared_value);
    }
}

static void unuse_on_control(void *unused)
{
    (void)unused;
    muster__plugin_scope_unuse(&scope);
}

static void use(void)
{
    on_control(use_on_control, NULL);
    cr_assert_eq(use_status, MUSTER_OK);
}

static void unuse(void)
{
    on_control(unuse_on_control, NULL);
}

Test(plugin_host, runs_init_for_the_first_user_only)
{
    use();
    use();
    cr_expect_eq(n_inits, 1);
    unuse();
    unuse();
    use();
    cr_expect_eq(n_inits, 1);
    cr_expect_eq(n_finis, 0);
    unuse();
}

Test(plugin_host, runs_fini_at_the_end)
{
    use();
    unuse();
    on_control(end_scope, NULL);
    cr_expect_eq(n_finis, 1);
    on_control(end_scope, NULL);
    cr_expect_eq(n_finis, 1);
}

Test(plugin_host, runs_no_fini_without_init)
{
    on_control(end_scope, NULL);
    cr_expect_eq(n_finis, 0);
}

Test(plugin_host, runs_no_fini_while_there_is_a_user)
{
    use();
    on_control(end_scope, NULL);
    cr_expect_eq(n_finis, 0);
    unuse();
}

Test(plugin_host, runs_init_again_after_fini)
{
    use();
    unuse();
    on_control(end_scope, NULL);
    use();
    cr_expect_eq(n_inits, 2);
    unuse();
}

Test(plugin_host, a_failed_init_is_tried_again)
{
    init_answer = MUSTER_UNAVAILABLE;
    on_control(use_on_control, NULL);
    cr_expect_eq(use_status, MUSTER_UNAVAILABLE);
    cr_expect_str_eq(use_error.message,
                     "plugin hosted cannot start: as the test wants");
    init_answer = MUSTER_OK;
    use();
    cr_expect_eq(n_inits, 2);
    unuse();
}

static void leak_on_control(void *unused)
{
    (void)unused;
    muster__plugin_scope_leak(&scope);
}

Test(plugin_host, a_leaked_plugin_gets_no_fini_and_is_not_used_again)
{
    use();
    on_control(leak_on_control, NULL);
    on_control(end_scope, NULL);
    cr_expect_eq(n_finis, 0);
    on_control(use_on_control, NULL);
    cr_expect_eq(use_status, MUSTER_BUSY);
}

/* ---- timers ---- */

static uint64_t timer;

static void start_timer(void)
{
    cr_expect_eq(host->call_later(host_ctx, 1, happen, NULL, &timer),
                 MUSTER_OK);
    cr_expect_neq(timer, 0);
}

Test(plugin_host, calls_later)
{
    in_init = start_timer;
    use();
    wait_for_it();
    unuse();
}

static void start_and_cancel(void)
{
    uint64_t kept = 0;

    cr_expect_eq(host->call_later(host_ctx, 0, happen, NULL, &timer),
                 MUSTER_OK);
    cr_expect_eq(host->call_later(host_ctx, 1, happen, NULL, &kept), MUSTER_OK);
    host->cancel(host_ctx, timer);
    host->cancel(host_ctx, timer);
    host->cancel(host_ctx, 0);
    host->cancel(host_ctx, UINT64_MAX);
}

Test(plugin_host, a_cancelled_timer_does_not_run)
{
    in_init = start_and_cancel;
    use();
    wait_for_it();
    cr_expect(!has_happened());
    unuse();
}

Test(plugin_host, refuses_timers_on_other_threads)
{
    use();
    cr_expect_eq(host->call_later(host_ctx, 0, happen, NULL, NULL),
                 MUSTER_UNSUPPORTED);
    unuse();
}

static void start_nothing(void)
{
    cr_expect_eq(host->call_later(host_ctx, 0, NULL, NULL, NULL), MUSTER_INVAL);
    cr_expect_eq(host->post(host_ctx, NULL, NULL), MUSTER_INVAL);
    cr_expect_eq(host->watch(host_ctx, -1, MUSTER_READABLE, NULL, NULL),
                 MUSTER_INVAL);
}

Test(plugin_host, refuses_to_call_nothing)
{
    in_init = start_nothing;
    use();
    unuse();
}

static void start_late_timer(void)
{
    cr_expect_eq(host->call_later(host_ctx, 3600000, happen, NULL, NULL),
                 MUSTER_OK);
}

Test(plugin_host, drops_pending_timers_at_the_end)
{
    in_init = start_late_timer;
    use();
    unuse();
}

Test(plugin_host, drops_what_a_failed_init_began)
{
    in_init = start_timer;
    init_answer = MUSTER_NOMEM;
    on_control(use_on_control, NULL);
    cr_expect_eq(use_status, MUSTER_NOMEM);
    cr_expect_eq(host->post(host_ctx, happen, NULL), MUSTER_CLOSED);
    in_init = NULL;
    init_answer = MUSTER_OK;
    use();
    cr_expect_eq(host->post(host_ctx, happen, NULL), MUSTER_OK);
    wait_for_it();
    cr_expect(!has_happened());
    unuse();
}

/* ---- watches ---- */

static int sockets[2];

static void on_readable(void *arg, int fd, unsigned events)
{
    char byte;

    cr_expect_eq(fd, sockets[0]);
    cr_expect((events & (unsigned)MUSTER_READABLE) != 0);
    if (arg != NULL) {
        cr_expect_eq(host->watch(host_ctx, fd, 0, NULL, NULL), MUSTER_OK);
    } else {
        cr_expect_eq(read(fd, &byte, 1), 1);
    }
    (void)sem_post(&happened);
}

static void watch_socket(void)
{
    cr_expect_eq(
        host->watch(host_ctx, sockets[0], MUSTER_READABLE, on_readable, NULL),
        MUSTER_OK);
}

static void make_sockets(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets),
                 0);
}

static void close_sockets(void)
{
    (void)close(sockets[0]);
    (void)close(sockets[1]);
}

Test(plugin_host, watches_a_descriptor)
{
    make_sockets();
    in_init = watch_socket;
    use();
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(write(sockets[1], "x", 1), 1);
        wait_for_it();
    }
    unuse();
    on_control(end_scope, NULL);
    close_sockets();
}

static void watch_and_stop(void)
{
    watch_socket();
    cr_expect_eq(host->watch(host_ctx, sockets[0], MUSTER_READABLE, on_readable,
                             &sockets),
                 MUSTER_OK);
}

Test(plugin_host, stops_a_watch_inside_its_own_call)
{
    make_sockets();
    in_init = watch_and_stop;
    use();
    cr_assert_eq(write(sockets[1], "x", 1), 1);
    wait_for_it();
    cr_expect_eq(host->post(host_ctx, happen, NULL), MUSTER_OK);
    wait_for_it();
    cr_expect(!has_happened());
    unuse();
    close_sockets();
}

static void stop_unknown(void)
{
    cr_expect_eq(host->watch(host_ctx, 12345, 0, NULL, NULL), MUSTER_OK);
}

Test(plugin_host, stopping_an_unknown_watch_does_nothing)
{
    in_init = stop_unknown;
    use();
    cr_expect_eq(host->watch(host_ctx, 0, MUSTER_READABLE, on_readable, NULL),
                 MUSTER_UNSUPPORTED);
    unuse();
}

/* ---- the rest ---- */

Test(plugin_host, runs_posts_from_any_thread)
{
    use();
    cr_expect_eq(host->post(host_ctx, happen, NULL), MUSTER_OK);
    wait_for_it();
    unuse();
}

Test(plugin_host, is_closed_after_fini)
{
    use();
    unuse();
    on_control(end_scope, NULL);
    cr_expect_eq(host->post(host_ctx, happen, NULL), MUSTER_CLOSED);
}

static void do_late(void *unused)
{
    (void)unused;
    cr_expect_eq(host->call_later(host_ctx, 0, happen, NULL, NULL),
                 MUSTER_CLOSED);
    cr_expect_eq(host->watch(host_ctx, 0, MUSTER_READABLE, on_readable, NULL),
                 MUSTER_CLOSED);
    host->cancel(host_ctx, 1);
}

Test(plugin_host, takes_no_timers_or_watches_after_fini)
{
    use();
    unuse();
    on_control(end_scope, NULL);
    on_control(do_late, NULL);
}

Test(plugin_host, resolves_names_on_the_control_thread_only)
{
    use();
    cr_expect_eq(host->resolve(host_ctx, "localhost", NULL, NULL),
                 MUSTER_UNSUPPORTED);
    unuse();
}

static char logged[128];

static void keep_line(void *arg, muster_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    (void)snprintf(logged, sizeof logged, "%s", message);
}

Test(plugin_host, logs_with_the_plugins_name)
{
    use();
    muster_log_set(keep_line, NULL, MUSTER_LOG_DEBUG);
    host->log(host_ctx, MUSTER_LOG_WARNING, "hello");
    cr_expect_str_eq(logged, "plugin hosted: hello");
    host->log(host_ctx, (muster_log_level)99, NULL);
    cr_expect_str_eq(logged, "plugin hosted: (no message)");
    muster_log_set(NULL, NULL, MUSTER_LOG_ERROR);
    unuse();
}
