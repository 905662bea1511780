/* SPDX-License-Identifier: Apache-2.0 */
/* Watches, as a program sees them. */
#include <muster/watch.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drill.h"
#include "loop.h"
#include "resolution.h"
#include "timing.h"

TestSuite(watch, .init = drill_open, .fini = drill_close, .timeout = 60);

typedef struct viewer {
    muster_watch *watch;
    unsigned n_lists;
    unsigned n_errors;
    unsigned n_fresh;
    size_t n_endpoints;
    char first_address[64];
    char message[512];
    muster_status status;
    uint64_t generation;
    uint64_t age_ms;
    bool is_held;
    const muster_endpoint *array;
    bool destroys;
    bool blocks;
    bool is_inside;
} viewer;

static void on_event(void *arg, const muster_watch_event *event)
{
    viewer *self = arg;
    muster_watch *doomed = NULL;

    drill_lock();
    self->is_inside = true;
    self->n_lists += event->type == MUSTER_WATCH_LIST;
    self->n_errors += event->type == MUSTER_WATCH_ERROR;
    self->n_fresh += event->type == MUSTER_WATCH_FRESH;
    self->n_endpoints = event->n_endpoints;
    self->array = event->endpoints;
    (void)snprintf(self->first_address, sizeof self->first_address, "%s",
                   event->n_endpoints > 0 ? event->endpoints[0].address : "");
    for (size_t i = 0; i < event->n_endpoints; i++) {
        cr_expect_eq(muster_watch_event_endpoint(event, i),
                     &event->endpoints[i]);
    }
    (void)snprintf(self->message, sizeof self->message, "%s", event->message);
    self->status = event->status;
    self->generation = event->generation;
    self->age_ms = event->age_ms;
    self->is_held = event->is_held != 0;
    if (self->destroys) {
        doomed = self->watch;
        self->watch = NULL;
    }
    pthread_cond_broadcast(&drill.changed);
    while (self->blocks) {
        drill_wait_locked("the viewer may go on");
    }
    self->is_inside = false;
    drill_unlock();
    muster_watch_destroy(doomed);
}

static void watch(viewer *self, const char *target)
{
    muster_error error;

    cr_assert_eq(
        muster_watch_create(target, on_event, self, &self->watch, &error),
        MUSTER_OK, "%s", error.message);
}

static void watch_drill(viewer *self, const char *target)
{
    watch(self, target);
    AWAIT(drill.n_starts == 1);
    drill_settle();
}

Test(watch, shows_the_list_and_its_changes)
{
    viewer self = {.watch = NULL};

    watch_drill(&self, "drill:///a");
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    AWAIT(self.n_lists == 1);
    cr_expect_str_eq(self.first_address, "10.0.0.1:1");
    cr_expect_eq(self.generation, 1);
    cr_assert_eq(drill_delta("2,3", NULL), MUSTER_OK);
    AWAIT(self.n_lists == 2);
    cr_expect_eq(self.n_endpoints, 3);
    cr_expect_eq(self.generation, 2);
    muster_watch_destroy(self.watch);
    cr_expect_eq(drill.n_frees, 1);
}

Test(watch, shows_errors_with_the_list_that_stays)
{
    viewer self = {.watch = NULL};

    watch_drill(&self, "drill:///a");
    drill_fail(MUSTER_UNAVAILABLE, "the source is down");
    AWAIT(self.n_errors == 1);
    cr_expect_eq(self.generation, 0);
    cr_expect_eq(self.n_endpoints, 0);
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    drill_fail(MUSTER_REFUSED, "refused");
    AWAIT(self.n_errors == 2);
    cr_expect_eq(self.n_endpoints, 2);
    cr_expect_eq(self.status, MUSTER_REFUSED);
    cr_expect_str_eq(self.message, "refused");
    cr_assert_eq(drill_report("2,1"), MUSTER_OK);
    AWAIT(self.n_fresh == 1);
    cr_expect_eq(self.status, MUSTER_OK);
    cr_expect_str_eq(self.message, "");
    muster_watch_destroy(self.watch);
}

Test(watch, says_that_a_list_is_held)
{
    viewer self = {.watch = NULL};

    watch_drill(&self, "drill:///a?empty=hold:1h");
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    cr_assert_eq(drill_report(""), MUSTER_OK);
    AWAIT(self.n_errors == 1);
    cr_expect(self.is_held);
    cr_expect_eq(self.n_endpoints, 1);
    muster_watch_destroy(self.watch);
}

Test(watch, shares_one_array_between_watches)
{
    viewer first = {.watch = NULL};
    viewer second = {.watch = NULL};

    watch_drill(&first, "drill:///a");
    watch(&second, "drill:///a");
    drill_settle();
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    AWAIT(first.n_lists == 1 && second.n_lists == 1);
    cr_expect_eq(first.array, second.array);
    cr_expect_eq(drill.n_creates, 1);
    muster_watch_destroy(first.watch);
    muster_watch_destroy(second.watch);
}

Test(watch, asks_for_a_refresh)
{
    viewer self = {.watch = NULL};

    watch_drill(&self, "drill:///a");
    muster_watch_refresh(self.watch);
    muster_watch_refresh(NULL);
    AWAIT(drill.n_refreshes >= 1);
    muster_watch_destroy(self.watch);
}

Test(watch, takes_a_refresh_just_before_its_end)
{
    viewer self = {.watch = NULL};

    watch_drill(&self, "drill:///a");
    muster_watch_refresh(self.watch);
    muster_watch_destroy(self.watch);
}

Test(watch, can_be_destroyed_inside_its_callback)
{
    viewer self = {.destroys = true, .blocks = true};

    watch_drill(&self, "drill:///a");
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    /* While the resolver is there: it goes with the watch. */
    cr_assert_eq(drill_report("2"), MUSTER_OK);
    drill_lock();
    self.blocks = false;
    drill_unlock();
    AWAIT(drill.n_frees == 1);
    drill_settle();
    cr_expect_eq(self.n_lists, 1);
}

static void destroy_at_once(void *arg, const muster_watch_event *event)
{
    viewer *self = arg;

    on_event(arg, event);
    muster_watch_destroy(self->watch);
    drill_lock();
    self->watch = NULL;
    pthread_cond_broadcast(&drill.changed);
    drill_unlock();
}

static void count_resolutions(void *arg)
{
    *(size_t *)arg = muster__resolution_count();
}

/* The resolver ends after the watch that was destroyed in its event. */
static void await_no_resolution(void)
{
    size_t n = 1;

    while (n > 0) {
        drill_call(count_resolutions, &n);
    }
    drill_settle();
}

/* That may be before its creator has woken up. */
Test(watch, can_be_destroyed_in_its_first_event)
{
    for (int i = 0; i < 500; i++) {
        viewer self = {.watch = NULL};

        cr_assert_eq(muster_watch_create("static:///10.0.0.1:1",
                                         destroy_at_once, &self, &self.watch,
                                         NULL),
                     MUSTER_OK);
        AWAIT(self.watch == NULL);
    }
    await_no_resolution();
}

static void *destroy(void *arg)
{
    viewer *self = arg;

    muster_watch_destroy(self->watch);
    cr_expect_not(self->is_inside);
    drill_lock();
    self->watch = NULL;
    drill_unlock();
    return NULL;
}

Test(watch, is_not_inside_its_callback_when_destroy_has_returned)
{
    viewer self = {.blocks = true};
    pthread_t thread;

    watch_drill(&self, "drill:///a");
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    AWAIT(self.is_inside);
    cr_assert_eq(pthread_create(&thread, NULL, destroy, &self), 0);
    drill_lock();
    cr_expect_neq(self.watch, NULL);
    self.blocks = false;
    drill_unlock();
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_expect_eq(self.n_lists, 1);
}

static viewer inner;

static void create_inner(void *arg, const muster_watch_event *event)
{
    (void)event;
    if (inner.watch == NULL) {
        cr_expect_eq(muster_watch_create("drill:///a", on_event, &inner,
                                         &inner.watch, NULL),
                     MUSTER_OK);
    }
    on_event(arg, event);
}

Test(watch, can_be_created_inside_a_callback)
{
    viewer self = {.watch = NULL};

    cr_assert_eq(muster_watch_create("drill:///a", create_inner, &self,
                                     &self.watch, NULL),
                 MUSTER_OK);
    AWAIT(drill.n_starts == 1);
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    AWAIT(inner.n_lists == 1);
    muster_watch_destroy(self.watch);
    muster_watch_destroy(inner.watch);
}

Test(watch, says_why_it_cannot_be_created)
{
    viewer self = {.watch = NULL};
    muster_error error;

    cr_expect_eq(muster_watch_create("nothing:///a", on_event, &self,
                                     &self.watch, &error),
                 MUSTER_NOTFOUND);
    cr_expect_eq(
        muster_watch_create(NULL, on_event, &self, &self.watch, &error),
        MUSTER_INVAL);
    drill.n_creates_to_fail = 1;
    cr_expect_eq(
        muster_watch_create("drill:///a", on_event, &self, &self.watch, &error),
        MUSTER_INVAL);
    cr_expect_str_eq(error.message, "the drill was told to fail");
    cr_expect_eq(self.watch, NULL);
    muster_watch_destroy(NULL);
}

Test(watch, works_in_the_parent_of_a_fork_only)
{
    viewer self = {.watch = NULL};
    muster_watch *other = NULL;
    int how = 1;
    pid_t child;

    watch_drill(&self, "drill:///a");
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        muster_watch_refresh(self.watch);
        muster_watch_destroy(self.watch);
        _exit(muster_watch_create("drill:///a", on_event, &self, &other,
                                  NULL) == MUSTER_FORKED
                  ? 0
                  : 1);
    }
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_expect_eq(how, 0);
    cr_assert_eq(drill_report("1"), MUSTER_OK);
    AWAIT(self.n_lists == 1);
    muster_watch_destroy(self.watch);
}

static void open_fast(void)
{
    muster__timing_scale_for_test(50);
    drill_open();
}

TestSuite(watch_fast, .init = open_fast, .fini = drill_close, .timeout = 60);

static void block_start(const muster_resolver_env *env)
{
    (void)env;
    drill_lock();
    while (drill.blocks_create) {
        drill_wait_locked("start may go on");
    }
    drill_unlock();
}

Test(watch_fast, is_given_up_while_a_plugin_keeps_the_control_thread)
{
    viewer self = {.watch = NULL};
    viewer other = {.watch = NULL};

    watch(&self, "mute:///a");
    AWAIT(drill.n_starts == 1);
    drill_lock();
    drill.in_start = block_start;
    drill.blocks_create = true;
    drill_unlock();
    cr_expect_eq(
        muster_watch_create("drill:///b", on_event, &other, &other.watch, NULL),
        MUSTER_TIMEOUT);
    cr_expect_eq(other.watch, NULL);
    muster_watch_destroy(self.watch);
    drill_lock();
    drill.blocks_create = false;
    drill_unlock();
    AWAIT(drill.n_frees == drill.n_creates);
    drill_settle();
}
