/* SPDX-License-Identifier: Apache-2.0 */
/* C core channels that wait for their next connection. None connects. */
#include "kept_channel.h"

#include <criterion/criterion.h>
#include <grpc/grpc_security.h>

static const muster__kept_key key = {"ipv4:127.0.0.1:1", "name", 1000, 0};
static muster__kept_store store;

static muster__kept_channel *make(const muster__kept_key *of)
{
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(of->address, insecure, NULL);
    muster__kept_channel *kept = NULL;

    grpc_channel_credentials_release(insecure);
    cr_assert_eq(muster__kept_channel_create(channel, of, &kept), MUSTER_OK);
    return kept;
}

static void set_up(void)
{
    grpc_init();
    cr_assert_eq(muster__kept_store_init(&store), MUSTER_OK);
}

static void tear_down(void)
{
    muster__kept_store_fini(&store);
    grpc_shutdown();
}

TestSuite(kept_channel, .init = set_up, .fini = tear_down);

Test(kept_channel, is_taken_once)
{
    muster__kept_channel *kept = make(&key);

    cr_expect_null(muster__kept_store_take(&store, &key));
    muster__kept_store_put(&store, kept);
    muster__kept_store_put(&store, kept); /* is there already */
    cr_expect_eq(muster__kept_store_take(&store, &key), kept);
    cr_expect_null(muster__kept_store_take(&store, &key));
    muster__kept_channel_unref(kept); /* what was taken */
    muster__kept_channel_unref(kept);
}

/* As by a lease that places its call when the endpoint is gone already. */
Test(kept_channel, is_let_go_when_it_connects_without_a_connection)
{
    muster__kept_channel *kept = make(&key);

    muster__kept_store_put(&store, kept);
    muster__kept_store_let_go(&store, kept); /* it is idle */
    cr_expect_eq(store.newest, kept);
    (void)grpc_channel_check_connectivity_state(muster__kept_channel_get(kept),
                                                1);
    while (grpc_channel_check_connectivity_state(muster__kept_channel_get(kept),
                                                 0) == GRPC_CHANNEL_IDLE) {
    }
    muster__kept_store_let_go(&store, kept);
    cr_expect_null(store.newest);
    muster__kept_store_let_go(&store, kept);
    muster__kept_channel_unref(kept);
}

Test(kept_channel, is_for_one_address_name_timeout_and_generation)
{
    const muster__kept_key others[] = {{"ipv4:127.0.0.1:2", "name", 1000, 0},
                                       {"ipv4:127.0.0.1:1", "other", 1000, 0},
                                       {"ipv4:127.0.0.1:1", "name", 2000, 0},
                                       {"ipv4:127.0.0.1:1", "name", 1000, 1}};
    muster__kept_channel *kept = make(&key);

    muster__kept_store_put(&store, kept);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_expect_null(muster__kept_store_take(&store, &others[i]));
    }
    muster__kept_channel_unref(kept); /* the store has one still */
}

Test(kept_channel, is_not_kept_when_its_credentials_were_replaced)
{
    muster__kept_key renewed = key;
    muster__kept_channel *early = make(&key);
    muster__kept_channel *late = make(&key);

    renewed.generation = 1;
    muster__kept_store_put(&store, early);
    cr_expect_null(muster__kept_store_take(&store, &renewed));
    cr_expect_null(store.newest);
    muster__kept_store_put(&store, late); /* was in use until now */
    cr_expect_null(store.newest);
    muster__kept_channel_unref(early);
    muster__kept_channel_unref(late);
}

Test(kept_channel, is_dropped_when_too_many_came_after_it)
{
    const muster__kept_key old = {"ipv4:127.0.0.1:2", "name", 1000, 0};
    muster__kept_channel *kept = make(&old);

    muster__kept_store_put(&store, kept);
    muster__kept_channel_unref(kept);
    for (int i = 0; i < 1024; i++) {
        kept = make(&key);
        muster__kept_store_put(&store, kept);
        muster__kept_channel_unref(kept);
    }
    cr_expect_null(muster__kept_store_take(&store, &old));
    kept = muster__kept_store_take(&store, &key);
    cr_expect_not_null(kept);
    muster__kept_channel_unref(kept);
}
