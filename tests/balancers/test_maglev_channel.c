/* SPDX-License-Identifier: Apache-2.0 */
/* The policy maglev on a real channel, over the fake transport: how many tables
 * are built, how busy that keeps the control thread, and what is in the last
 * one. */
#include "channel_fixture.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "limit.h"
#include "loop.h"

#define TARGET "maglev"

enum {
    LONG_MS = 60000,
    N = 1000,
    MAX_BUSY_MS = 5,
    MAX_TABLES_PER_S = 20,
    MAX_ROUNDS = 3
};

const muster_plugin *muster_builtin_maglev(void);

static char addresses[N][24];
static atomic_uint n_builds;

static const muster_balancer_class *original(void)
{
    return muster_builtin_maglev()->balancers[0];
}

static muster_status count_build(void *self, const muster_build_args *args,
                                 void **ret_table, muster_error *err)
{
    atomic_fetch_add(&n_builds, 1);
    return original()->build(self, args, ret_table, err);
}

static const muster_plugin *entry(void)
{
    static muster_balancer_class counted;
    static const muster_balancer_class *const classes[] = {&counted};
    static const muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "counted",
        .version = "test",
        .balancers = classes,
        .n_balancers = 1,
    };

    counted = *original();
    counted.name = "counted";
    counted.build = count_build;
    return &plugin;
}

/* ---- how long the control thread is busy at a time ---- */

/* By its own clock, which stands while others have its processor. From one look
 * to the next, a millisecond later or when the thread is free again: at most a
 * turn, and that millisecond. */
static struct {
    muster__timer *timer;
    uint64_t last_ns;
    _Atomic uint64_t most_ns;
} busy;

static uint64_t thread_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Thread: control, as the two below. */
static void look_how_busy(void *arg)
{
    uint64_t now_ns = thread_ns();

    (void)arg;
    if (now_ns - busy.last_ns > atomic_load(&busy.most_ns)) {
        atomic_store(&busy.most_ns, now_ns - busy.last_ns);
    }
    busy.last_ns = now_ns;
    muster__timer_start(busy.timer, 1);
}

static void begin_to_look(void *arg)
{
    (void)arg;
    cr_assert_eq(muster__timer_create(look_how_busy, NULL, &busy.timer),
                 MUSTER_OK);
    busy.last_ns = thread_ns();
    atomic_store(&busy.most_ns, 0);
    look_how_busy(NULL);
}

static void stop_looking(void *arg)
{
    (void)arg;
    look_how_busy(NULL);
    muster__timer_destroy(busy.timer);
}

/* ---- a thousand endpoints ---- */

static void open_channel(void)
{
    const muster_channel_options options = {.policy = "counted",
                                            .max_connecting = N};

    open_registered(entry, "script:///" TARGET, options);
}

static int all_connecting(void *arg,
                          const muster_testkit_transport_counts *counts)
{
    (void)arg;
    return counts->connecting == N;
}

static void report(void)
{
    const char *list[N];

    for (int i = 0; i < N; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.%d.%d:80",
                       i / 250, i % 250);
        list[i] = addresses[i];
    }
    script_report_addresses(TARGET, list, N);
    cr_assert_eq(muster_testkit_transport_await(transport, NULL, all_connecting,
                                                NULL, LONG_MS),
                 MUSTER_OK);
}

/* In an order of no meaning (7919 and 1000 share no divisor), a millisecond
 * each. */
static void connect_within_a_second(void)
{
    uint64_t start_ns = in_ms(0);

    for (unsigned i = 0; i < N; i++) {
        while (in_ms(0) - start_ns < i * UINT64_C(1000000)) {
        }
        (void)muster_testkit_transport_connect(transport,
                                               addresses[i * 7919 % N]);
    }
}

/* Whether every endpoint is picked, by keys enough for each. */
static bool has_all(void)
{
    static uint8_t is_picked[N];
    unsigned n = 0;

    memset(is_picked, 0, sizeof is_picked);
    for (unsigned i = 0; i < 30 * N; i++) {
        char key[16];
        muster_call_info call = {.struct_size = sizeof call, .hash_key = key};
        muster_lease lease = {0};
        const char *address;
        unsigned high;
        unsigned low;

        (void)snprintf(key, sizeof key, "%u", i);
        cr_assert_eq(muster_channel_pick(channel, &call, &lease, NULL),
                     MUSTER_OK);
        address = muster_lease_endpoint(&lease)->address;
        cr_assert_eq(sscanf(address, "10.0.%u.%u:80", &high, &low), 2);
        n += is_picked[high * 250 + low] == 0;
        is_picked[high * 250 + low] = 1;
        muster_lease_finish(&lease, NULL);
    }
    return n == N;
}

/* A busy machine may take more than the second. */
static void expect_few_tables(uint64_t took_ms)
{
    cr_expect_leq(atomic_load(&n_builds),
                  took_ms < 1200 ? MAX_TABLES_PER_S
                                 : took_ms * MAX_TABLES_PER_S / 1000);
}

/* How long the control thread was busy at a time, at most. */
static uint64_t build_tables_ns(void)
{
    uint64_t start_ns;
    uint64_t took_ms;

    atomic_store(&n_builds, 0);
    open_channel();
    muster_testkit_transport_set_delay(transport, MUSTER_FOREVER);
    report();
    (void)muster__loop_call(begin_to_look, NULL, MUSTER_FOREVER);
    start_ns = in_ms(0);
    connect_within_a_second();
    AWAIT(stats().ready == N);
    took_ms = (in_ms(0) - start_ns) / 1000000;
    (void)muster__loop_call(stop_looking, NULL, MUSTER_FOREVER);
    AWAIT(has_all());
    cr_log_info("%u tables for %d endpoints in %u ms, busy for %.2f ms",
                atomic_load(&n_builds), (int)N, (unsigned)took_ms,
                (double)atomic_load(&busy.most_ns) / 1e6);
    expect_few_tables(took_ms);
    close_channel();
    return atomic_load(&busy.most_ns);
}

/* What a host takes from a virtual machine's processor counts as the thread's
 * time, now and then 5 ms at once, so that one round says little. What muster
 * does is in each of them. */
Test(maglev_channel, builds_few_tables_for_a_thousand_that_become_ready)
{
    int n_rounds = 1;

    while (build_tables_ns() >= limit_ns(MAX_BUSY_MS)) {
        cr_assert_lt(n_rounds, MAX_ROUNDS, "too busy in each of %d rounds",
                     n_rounds);
        n_rounds++;
    }
}
