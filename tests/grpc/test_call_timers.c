/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of a queue: their order, and who is woken for them. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "call_timers.h"
#include "random_numbers.h"

static muster__call_timers timers;
static int n_holds;

static void hold(muster__call_timer *timer)
{
    (void)timer;
    n_holds++;
}

static void begin(void)
{
    cr_assert(muster__call_timers_init(&timers));
}

static void finish(void)
{
    muster__call_timers_fini(&timers);
}

TestSuite(call_timers, .init = begin, .fini = finish);

static muster__call_timer new_timer(void)
{
    const muster__call_timer timer = {.hold = hold};

    return timer;
}

static uint32_t set(muster__call_timer *timer, uint64_t due_ns)
{
    uint32_t n_wakes = 0;

    cr_assert(muster__call_timers_set(&timers, timer, due_ns, &n_wakes));
    return n_wakes;
}

Test(call_timers, are_due_in_order)
{
    muster__call_timer a = new_timer();
    muster__call_timer b = new_timer();

    set(&a, 20);
    set(&b, 10);
    cr_expect_null(muster__call_timers_take(&timers, 9));
    cr_expect_eq(muster__call_timers_take(&timers, 30), &b);
    cr_expect_eq(muster__call_timers_take(&timers, 30), &a);
    cr_expect_null(muster__call_timers_take(&timers, 30));
    cr_expect_eq(n_holds, 2);
}

Test(call_timers, can_be_set_anew_and_unset)
{
    muster__call_timer a = new_timer();
    muster__call_timer b = new_timer();

    set(&a, 10);
    set(&b, 20);
    set(&a, 30);
    muster__call_timers_unset(&timers, &b);
    muster__call_timers_unset(&timers, &b);
    cr_expect_null(muster__call_timers_take(&timers, 29));
    cr_expect_eq(muster__call_timers_take(&timers, 30), &a);
    cr_expect_null(muster__call_timers_take(&timers, UINT64_MAX));
}

/* Against a plain array. */
Test(call_timers, keep_their_order_whatever_is_done)
{
    enum { N = 200 };
    muster__call_timer all[N];
    uint64_t numbers = 7;

    for (int i = 0; i < N; i++) {
        all[i] = new_timer();
    }
    for (int round = 0; round < 20000; round++) {
        muster__call_timer *one = &all[below(&numbers, N)];
        const uint64_t earliest = timers.n == 0 ? 0 : timers.heap[0]->due_ns;

        for (int i = 0; i < N; i++) {
            cr_assert(all[i].place == 0 || all[i].due_ns >= earliest);
        }
        if (below(&numbers, 3) == 0) {
            muster__call_timers_unset(&timers, one);
            cr_assert_eq(one->place, 0);
        } else {
            set(one, 1 + below(&numbers, 1000));
            cr_assert_eq(timers.heap[one->place - 1], one);
        }
    }
}

/* ---- who waits ---- */

static uint64_t until(muster__call_stay *stay, uint64_t deadline_ns)
{
    return muster__call_timers_until(&timers, stay, deadline_ns);
}

Test(call_timers, limit_how_long_a_thread_waits)
{
    muster__call_timer a = new_timer();
    muster__call_stay stay;

    set(&a, 50);
    muster__call_timers_enter(&timers, &stay);
    cr_expect_eq(until(&stay, 100), 50);
    cr_expect_eq(until(&stay, 40), 40);
    muster__call_timers_unset(&timers, &a);
    cr_expect_eq(until(&stay, 100), 100);
    cr_expect(!muster__call_timers_leave(&timers, &stay));
}

/* They do not know yet that there are timers. */
Test(call_timers, wake_all_who_wait_the_first_time)
{
    muster__call_timer a = new_timer();
    muster__call_stay stays[3];

    for (int i = 0; i < 3; i++) {
        muster__call_timers_enter(&timers, &stays[i]);
    }
    cr_expect_eq(set(&a, 50), 3);
}

Test(call_timers, wake_one_when_they_come_before_all_others)
{
    muster__call_timer a = new_timer();
    muster__call_timer b = new_timer();
    muster__call_timer c = new_timer();
    muster__call_stay stay;

    set(&a, 50);
    muster__call_timers_enter(&timers, &stay);
    (void)until(&stay, 100);
    cr_expect_eq(set(&b, 60), 0);
    cr_expect_eq(set(&c, 40), 1);
}

Test(call_timers, wake_nobody_while_nobody_waits)
{
    muster__call_timer a = new_timer();
    muster__call_timer b = new_timer();

    cr_expect_eq(set(&a, 50), 0);
    cr_expect_eq(set(&b, 40), 0);
}

Test(call_timers, are_handed_over_by_the_last_thread_that_covers_them)
{
    muster__call_timer a = new_timer();
    muster__call_timer b = new_timer();
    muster__call_stay first;
    muster__call_stay second;
    muster__call_stay third;

    set(&a, 50);
    muster__call_timers_enter(&timers, &first);
    (void)until(&first, 100);
    muster__call_timers_enter(&timers, &second);
    (void)until(&second, 100);
    cr_expect(!muster__call_timers_leave(&timers, &first));
    muster__call_timers_enter(&timers, &third);
    cr_expect(muster__call_timers_leave(&timers, &second));

    /* Who waited for a later one does not cover this. */
    (void)until(&third, 100);
    cr_expect_eq(set(&b, 40), 1);
    muster__call_timers_enter(&timers, &first);
    cr_expect(!muster__call_timers_leave(&timers, &third));
    (void)until(&first, 100);
    cr_expect(!muster__call_timers_leave(&timers, &first));
}
