/* SPDX-License-Identifier: Apache-2.0 */
/* The key of a call for a policy that hashes: of its own, or a header. */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/plugin.h>

#include "backend.h"
#include "calling.h"

enum { N_SERVERS = 3, N_KEYS = 100 };

const muster_plugin *muster_builtin_ring_hash(void);

static backend servers[N_SERVERS];
static muster_channel *channel;

static void open_world(const char *config_json)
{
    static const char *const flags[N_SERVERS][3] = {
        {"--id", "a", NULL}, {"--id", "b", NULL}, {"--id", "c", NULL}};
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .policy = "ring_hash",
                                            .policy_config_json = config_json};
    muster_error err = {.message = ""};
    char target[512];

    for (int i = 0; i < N_SERVERS; i++) {
        cr_assert(backend_start(&servers[i], flags[i]));
    }
    (void)snprintf(target, sizeof target, "static:///%s,%s,%s",
                   servers[0].address, servers[1].address, servers[2].address);
    cr_assert_eq(muster_plugin_register(muster_builtin_ring_hash, &err),
                 MUSTER_OK, "%s", err.message);
    cr_assert_eq(
        muster_grpc_channel_create(target, &options, NULL, &channel, &err),
        MUSTER_OK, "%s", err.message);
}

static void close_world(void)
{
    muster_channel_destroy(channel);
    for (int i = 0; i < N_SERVERS; i++) {
        backend_kill(&servers[i]);
    }
}

/* The name of the server that answers. */
static char ask_where(const muster_call_options *options)
{
    char *answer;
    char name;

    cr_assert_eq(ask(channel, "", options, &answer), GRPC_STATUS_OK, "%s",
                 answer);
    name = answer[0];
    free(answer);
    return name;
}

static char place_by_key(const char *key)
{
    muster_call_options options = patient;

    options.hash_key = key;
    return ask_where(&options);
}

/* With a header of one value, or two. key may be NULL. */
static char place_by_header(const char *key, const char *first,
                            const char *second)
{
    grpc_metadata items[2];
    muster_call_options options = with_header(&items[0], "x-user", first);
    char name;

    options.hash_key = key;
    options.metadata = items;
    if (second != NULL) {
        (void)with_header(&items[1], "x-user", second);
        options.n_metadata = 2;
    }
    name = ask_where(&options);
    for (size_t i = 0; i < options.n_metadata; i++) {
        free_header(&items[i]);
    }
    return name;
}

/* Every server has some of the keys, and each key one server. */
static void expect_spread(char (*place)(unsigned number))
{
    bool is_used[N_SERVERS] = {false};

    for (unsigned i = 0; i < N_KEYS; i++) {
        const char name = place(i);

        is_used[name - 'a'] = true;
        cr_expect_eq(place(i), name, "key %u", i);
    }
    for (int i = 0; i < N_SERVERS; i++) {
        cr_expect(is_used[i], "no key is %c's", 'a' + i);
    }
}

static char place_number(unsigned number)
{
    char key[16];

    (void)snprintf(key, sizeof key, "key-%u", number);
    return place_by_key(key);
}

static char place_header_number(unsigned number)
{
    char value[16];

    (void)snprintf(value, sizeof value, "key-%u", number);
    return place_by_header(NULL, value, NULL);
}

Test(grpc_hash_key, decides_where_a_call_goes)
{
    open_world(NULL);
    expect_spread(place_number);
    close_world();
}

Test(grpc_hash_key, is_the_header_that_the_policy_names)
{
    open_world("{\"requestHashHeader\": \"x-user\"}");
    expect_spread(place_header_number);
    for (unsigned i = 0; i < N_KEYS; i++) {
        cr_expect_eq(place_header_number(i), place_number(i), "key %u", i);
    }
    close_world();
}

/* Several headers of one name are one key, joined with a comma (gRFC A76). */
static void expect_joined(const char *first, const char *second)
{
    char joined[24];

    (void)snprintf(joined, sizeof joined, "%s,%s", first, second);
    cr_expect_eq(place_by_header(NULL, first, second), place_by_key(joined),
                 "key %s", joined);
}

Test(grpc_hash_key, has_the_values_of_the_header_joined_by_commas)
{
    char first[16];

    open_world("{\"requestHashHeader\": \"x-user\"}");
    for (unsigned i = 0; i < N_KEYS; i++) {
        (void)snprintf(first, sizeof first, "key-%u", i);
        expect_joined(first, "b");
    }
    close_world();
}

Test(grpc_hash_key, has_an_empty_value_joined_as_any_other)
{
    char second[16];

    open_world("{\"requestHashHeader\": \"x-user\"}");
    for (unsigned i = 0; i < N_KEYS; i++) {
        (void)snprintf(second, sizeof second, "key-%u", i);
        expect_joined("", second);
    }
    close_world();
}

Test(grpc_hash_key, of_the_call_itself_comes_before_the_header)
{
    char key[16];

    open_world("{\"requestHashHeader\": \"x-user\"}");
    for (unsigned i = 0; i < N_KEYS; i++) {
        (void)snprintf(key, sizeof key, "key-%u", i);
        cr_expect_eq(place_by_header(key, "another", NULL), place_by_key(key),
                     "key %s", key);
    }
    close_world();
}
