/* SPDX-License-Identifier: Apache-2.0 */
/* Channels whose creator gave up, because a plugin holds the control thread. */
#include "channel_fixture.h"
#include "loop_fixture.h"

#include <semaphore.h>
#include <stdatomic.h>

#include <muster/transport.h>

#include "timing.h"

TestSuite(channel_abandoned, .timeout = 60);

/* ---- a plugin that holds the control thread ---- */

static sem_t holding;
static sem_t may_go_on;

static void hold(void *arg)
{
    (void)arg;
    muster__loop_enter_plugin("holder", "start");
    (void)sem_post(&holding);
    wait_for(&may_go_on);
    muster__loop_leave_plugin();
}

static void hold_control_thread(void)
{
    (void)sem_init(&holding, 0, 0);
    (void)sem_init(&may_go_on, 0, 0);
    muster__timing_scale_for_test(10); /* stuck: 500 ms */
    loop_open();
    cr_assert_eq(muster__loop_call(hold, NULL, 1), MUSTER_TIMEOUT);
    wait_for(&holding);
}

/* ---- a transport whose transport_arg goes as soon as nobody needs it ---- */

static atomic_int n_refs;
static atomic_int n_late; /* uses after that */

static void ref(void *arg)
{
    (void)arg;
    if (atomic_fetch_add(&n_refs, 1) == 0) {
        atomic_fetch_add(&n_late, 1);
    }
}

static void unref(void *arg)
{
    (void)arg;
    atomic_fetch_sub(&n_refs, 1);
}

static muster_status create(void *arg, const muster_connection_env *env,
                            void **ret_connection, muster_error *err)
{
    (void)arg;
    (void)env;
    (void)ret_connection;
    if (atomic_load(&n_refs) == 0) {
        atomic_fetch_add(&n_late, 1);
    }
    return muster_error_set(err, MUSTER_UNAVAILABLE, "nowhere");
}

static void destroy(void *connection)
{
    (void)connection;
}

static const muster_transport_class transport = {.struct_size =
                                                     sizeof transport,
                                                 .name = "counted",
                                                 .create = create,
                                                 .destroy = destroy,
                                                 .ref = ref,
                                                 .unref = unref};

Test(channel_abandoned, leaves_alone_what_its_creator_freed)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .transport = &transport};
    muster_channel *channel = NULL;
    muster_error err;

    hold_control_thread();
    atomic_store(&n_refs, 1);
    cr_expect_eq(muster_channel_create("static:///127.0.0.1:1", &options,
                                       &channel, &err),
                 MUSTER_TIMEOUT);
    cr_expect_str_eq(err.message,
                     "plugin holder has been holding the control thread for "
                     "5 s");
    unref(NULL); /* the creator's, who frees it */
    (void)sem_post(&may_go_on);
    on_control(do_nothing, NULL);
    muster__loop_release();
    while (muster__loop_stop(NULL) == MUSTER_BUSY) { /* it closes */
    }
    cr_expect_eq(atomic_load(&n_late), 0);
    cr_expect_eq(atomic_load(&n_refs), 0);
}
