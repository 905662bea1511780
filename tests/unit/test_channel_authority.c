/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel tells its transport of the name for TLS and :authority. */
#include <muster/muster.h>

#include <criterion/criterion.h>
#include <string.h>

#include "script_resolver.h"

/* What the transport was told last; NULL reads as "". Written before it says
 * READY. */
static char authority[600];
static char hostname[64];

static void keep(const char *text, char *place, size_t size)
{
    (void)snprintf(place, size, "%s", text == NULL ? "" : text);
}

static muster_status transport_create(void *arg,
                                      const muster_connection_env *env,
                                      void **ret_connection, muster_error *err)
{
    (void)err;
    keep(env->authority, authority, sizeof authority);
    keep(env->endpoint->hostname, hostname, sizeof hostname);
    *ret_connection = arg;
    env->host->state(env->ctx, MUSTER_READY, NULL);
    return MUSTER_OK;
}

static void transport_destroy(void *connection)
{
    (void)connection;
}

static const muster_transport_class transport = {
    .struct_size = sizeof transport,
    .name = "telling",
    .create = transport_create,
    .destroy = transport_destroy,
};

static muster_channel *channel_open(const char *target, const char *option)
{
    const muster_channel_options options = {
        .struct_size = sizeof options,
        .transport = &transport,
        .transport_arg = authority,
        .authority = option,
    };
    muster_channel *channel = NULL;
    muster_error err;

    script_register();
    cr_assert_eq(muster_channel_create(target, &options, &channel, &err),
                 MUSTER_OK, "%s", err.message);
    return channel;
}

/* When the transport was told, for then there is a connection. */
static void await_connection(muster_channel *channel)
{
    const muster_call_info call = {.struct_size = sizeof call,
                                   .flags = MUSTER_CALL_WAIT_FOR_READY,
                                   .deadline_ns = MUSTER_FOREVER};
    muster_lease lease;
    muster_error err;

    cr_assert_eq(muster_channel_pick_wait(channel, &call, &lease, &err),
                 MUSTER_OK, "%s", err.message);
    muster_lease_finish(&lease, NULL);
}

static void channel_close(muster_channel *channel)
{
    muster_channel_destroy(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
}

static void expect_authority(const char *name, const char *option,
                             const char *expected)
{
    const muster_endpoint endpoint = {.address = "10.0.0.1:1",
                                      .hostname = "host.test"};
    char target[600];
    muster_channel *channel;

    (void)snprintf(target, sizeof target, "script:///%s", name);
    channel = channel_open(target, option);
    script_report(name, &endpoint, 1);
    await_connection(channel);
    cr_expect_str_eq(authority, expected);
    /* A transport lets this win: muster/endpoint.h. */
    cr_expect_str_eq(hostname, "host.test");
    channel_close(channel);
}

TestSuite(authority, .timeout = 20);

Test(authority, is_what_the_class_makes_of_the_path)
{
    expect_authority("web", NULL, "web.script");
}

Test(authority, of_the_options_wins)
{
    expect_authority("web", "option.test", "option.test");
}

Test(authority, is_none_when_the_class_knows_none)
{
    expect_authority("nameless", NULL, "");
}

Test(authority, has_room_for_511_bytes)
{
    char name[560] = "";
    char cut[512] = "";

    memset(name, 'a', sizeof name - 1);
    memset(cut, 'a', sizeof cut - 1);
    expect_authority(name, NULL, cut);
}

Test(authority, is_none_when_the_class_has_no_such_function)
{
    muster_channel *channel = channel_open("static:///10.0.0.1:1", NULL);

    await_connection(channel);
    cr_expect_str_empty(authority);
    cr_expect_str_empty(hostname);
    channel_close(channel);
}
