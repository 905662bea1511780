/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins compiled against the frozen headers work with the library of today.
 */
#include "plugin_files.h"

#include <criterion/criterion.h>
#include <muster/muster.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#define REFREEZE "the ABI has changed: see tests/abi/README.md"

/* Fields and numbers stay as they were frozen; structs may have grown. */
#if UINTPTR_MAX == UINT64_MAX
#define LAYOUT_SIZE(type, size)                                                \
    _Static_assert(sizeof(type) >= (size), #type ": " REFREEZE)
#define LAYOUT_FIELD(type, field, at, size)                                    \
    _Static_assert(offsetof(type, field) == (at) &&                            \
                       sizeof(((type *)NULL)->field) == (size),                \
                   #type "." #field ": " REFREEZE)
#define LAYOUT_NUMBER(name, number)                                            \
    _Static_assert((int)(name) == (number), #name ": " REFREEZE)
#include "frozen/1.0/layout.h"

/* A field that is appended must not lie where a shorter struct has padding:
 * that is inside its struct_size, and nobody has set it. */
#define ENDS_WITH(type, last)                                                  \
    _Static_assert(sizeof(type) ==                                             \
                       offsetof(type, last) + sizeof(((type *)NULL)->last),    \
                   #type " ends with padding, or not with " #last)
ENDS_WITH(muster_endpoint, priority);
ENDS_WITH(muster_update, reserved);
ENDS_WITH(muster_delta, n_removed);
ENDS_WITH(muster_resolver_env, options);
ENDS_WITH(muster_resolver_host, random);
ENDS_WITH(muster_resolver_class, authority);
ENDS_WITH(muster_call_info, header_arg);
ENDS_WITH(muster_outcome, bytes_received);
ENDS_WITH(muster_backend, endpoint_size);
ENDS_WITH(muster_balancer_update, n_backends);
ENDS_WITH(muster_build_args, n_ready);
ENDS_WITH(muster_pick_args, call);
ENDS_WITH(muster_pick_result, message);
ENDS_WITH(muster_balancer_env, config_json);
ENDS_WITH(muster_balancer_host, include_unfit);
ENDS_WITH(muster_balancer_class, destroy);
ENDS_WITH(muster_plugin_host, now_ms);
ENDS_WITH(muster_plugin, fini);

/* Those that never change at all. */
#define STAYS(type, size)                                                      \
    _Static_assert(sizeof(type) == (size), #type ": " REFREEZE)
STAYS(muster_attribute, 16);
STAYS(muster_option_info, 16);
STAYS(muster_error, 512);
STAYS(muster_plugin_note, 532);
#endif

static void set_up(void)
{
    cr_assert_eq(
        setenv("MUSTER_PLUGIN_PATH", path_in(built_plugin(""), "frozen"), 1),
        0);
}

TestSuite(frozen, .init = set_up, .timeout = 20);

/* Connections may end a moment after their channel. */
static void shut_down(void)
{
    while (muster_shutdown() == MUSTER_BUSY) {
        (void)sched_yield();
    }
}

typedef struct seen {
    sem_t happened;
    size_t n_endpoints;
    char zone[16];
} seen;

static void on_event(void *arg, const muster_watch_event *event)
{
    seen *what = arg;

    if (event->type == MUSTER_WATCH_LIST) {
        what->n_endpoints = event->n_endpoints;
        for (size_t i = 0; i < event->n_endpoints; i++) {
            if (strcmp(event->endpoints[i].address, "127.0.0.1:2") == 0) {
                (void)snprintf(what->zone, sizeof what->zone, "%s",
                               event->endpoints[i].zone);
            }
        }
        (void)sem_post(&what->happened);
    }
}

Test(frozen, resolver_is_watched)
{
    seen what = {.n_endpoints = 0};
    muster_error err = {.message = ""};
    muster_watch *watch = NULL;

    cr_assert_eq(sem_init(&what.happened, 0, 0), 0);
    cr_assert_eq(muster_watch_create("frozen:///x?zone=b", on_event, &what,
                                     &watch, &err),
                 MUSTER_OK, "%s", err.message);
    while (sem_wait(&what.happened) != 0) {
    }
    cr_expect_eq(what.n_endpoints, 2);
    cr_expect_str_eq(what.zone, "b");
    muster_watch_destroy(watch);
    shut_down();
}

Test(frozen, balancer_picks)
{
    muster_channel_options options = {
        .struct_size = (uint32_t)sizeof options,
        .policy = "frozen_last",
        .policy_config_json = "{}",
    };
    muster_error err = {.message = ""};
    muster_channel *channel = NULL;
    muster_lease lease;

    cr_assert_eq(muster_channel_create("frozen:///x", &options, &channel, &err),
                 MUSTER_OK, "%s", err.message);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(muster_channel_pick_wait(channel, NULL, &lease, &err),
                     MUSTER_OK, "%s", err.message);
        cr_expect_eq(
            strncmp(muster_lease_endpoint(&lease)->address, "127.0.0.1:", 10),
            0);
        muster_lease_finish(&lease, NULL);
    }
    muster_channel_destroy(channel);
    shut_down();
}
