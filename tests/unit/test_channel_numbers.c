/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel does at the limit of its subchannels' numbers, which a
 * policy's states are as many as. */
#include <channel_internal.h>
#include <loop.h>

#include "rules_fixture.h"

enum { MAX_NUMBERS = MUSTER__STATE_CHUNKS * MUSTER__STATE_CHUNK, MANY = 1000 };

/* ---- free numbers ---- */

static muster_channel full;
static muster__policy policy;
static char *states[MUSTER__STATE_CHUNKS];

/* All numbers but the last two were given, and n are free again. */
static void fill_and_free(uint32_t n)
{
    static muster__subchannel gone;

    muster__table_init(&full.table);
    full.table.n_numbers = MAX_NUMBERS - 2;
    for (uint32_t i = 0; i < n; i++) {
        muster__table_remove(&full.table, &gone);
    }
    policy.states = states;
    policy.published.n_state_chunks = MUSTER__STATE_CHUNKS;
    full.policies = &policy;
}

Test(channel_numbers, counts_on_those_that_are_free_again)
{
    fill_and_free(MANY);
    cr_assert_eq(muster__policy_reserve_states(&full, MANY), MUSTER_OK);
    cr_assert_eq(muster__policy_reserve_states(&full, MANY + 2), MUSTER_OK);
}

Test(channel_numbers, tells_their_end_from_a_lack_of_memory)
{
    fill_and_free(MANY);
    cr_assert_eq(muster__policy_reserve_states(&full, MANY + 3),
                 MUSTER_EXHAUSTED);
}

Test(channel_numbers, are_free_once)
{
    static muster__endpoint endpoint = {.refs = 1};
    muster__subchannel_table table;

    muster__table_init(&table);
    cr_assert_eq(muster__table_reserve(&table, 2, 0), MUSTER_OK);
    muster__table_remove(&table, muster__table_add(&table, &endpoint));
    cr_assert_eq(muster__table_limit(&table, 1), 1);
    (void)muster__table_add(&table, &endpoint);
    cr_assert_eq(muster__table_limit(&table, 1), 2);
    muster__table_fini(&table);
}

/* ---- a list that there are no numbers for ---- */

static atomic_uint n_logged;

static void count_refusals(void *arg, muster_log_level level,
                           const char *message)
{
    (void)arg;
    (void)level;
    if (strstr(message, "the list is refused") != NULL) {
        atomic_fetch_add(&n_logged, 1);
    }
}

/* Runs fn on the control thread while all numbers are given, and answers
 * whether it is to be tried again by and by. */
typedef struct shortage {
    muster_channel *channel;
    void (*fn)(muster_channel *channel);
    bool is_resync_due;
} shortage;

static void run_short(void *arg)
{
    shortage *s = arg;
    muster__subchannel_table *table = &s->channel->table;
    uint32_t n_numbers = table->n_numbers;

    table->n_numbers = MAX_NUMBERS;
    s->fn(s->channel);
    s->is_resync_due = s->channel->is_resync_due;
    table->n_numbers = n_numbers;
}

static bool is_retried(const bench *b, void (*fn)(muster_channel *channel))
{
    shortage s = {b->channel, fn, false};

    cr_assert_eq(muster__loop_call(run_short, &s, MUSTER_FOREVER), MUSTER_OK);
    return s.is_resync_due;
}

static void report_all(muster_channel *channel)
{
    (void)channel;
    report(3);
}

static bench open_with_states(void)
{
    bench b = bench_open("least_request", 0);

    muster_log_set(count_refusals, NULL, MUSTER_LOG_ERROR);
    report(1);
    AWAIT(stats_of(&b).ready == 1);
    return b;
}

Test(channel_numbers, refuse_a_list_and_keep_the_last)
{
    bench b = open_with_states();

    cr_assert_not(is_retried(&b, report_all));
    cr_assert_eq(atomic_load(&n_logged), 1);
    cr_assert_eq(stats_of(&b).endpoints, 1);
    cr_assert_eq(share_of(&b, abc[0], 10), 10);
    bench_close(&b);
}

Test(channel_numbers, log_once_what_they_refuse_again)
{
    bench b = open_with_states();

    cr_assert_not(is_retried(&b, report_all));
    cr_assert_not(is_retried(&b, muster__channel_resync));
    cr_assert_eq(atomic_load(&n_logged), 1);
    bench_close(&b);
}

Test(channel_numbers, take_the_next_list_over)
{
    bench b = open_with_states();

    (void)is_retried(&b, report_all);
    report(2);
    AWAIT(stats_of(&b).ready == 2);
    cr_assert_eq(stats_of(&b).endpoints, 2);
    cr_assert_eq(share_of(&b, abc[1], 10) > 0, true);
    bench_close(&b);
}
