/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of posts and timers. */
#include "resolver_jobs.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void do_nothing(void *arg)
{
    (void)arg;
}

static uint64_t add(muster__jobs *jobs, uint64_t due_ns)
{
    uint64_t number = 0;

    cr_assert_eq(muster__jobs_add(jobs, due_ns, do_nothing, NULL, &number),
                 MUSTER_OK);
    return number;
}

Test(resolver_jobs, gives_jobs_by_time_then_by_number)
{
    muster__jobs jobs = {.n = 0};
    muster__job former = {.due_ns = 0};
    muster__job job;

    srandom(1);
    for (int i = 0; i < 1000; i++) {
        (void)add(&jobs, (uint64_t)random() % 50);
    }
    for (int i = 0; i < 1000; i++) {
        cr_assert(muster__jobs_take(&jobs, 50, &job));
        cr_assert(former.due_ns < job.due_ns ||
                  (former.due_ns == job.due_ns && former.number < job.number));
        former = job;
    }
    cr_expect_not(muster__jobs_take(&jobs, 50, &job));
    muster__jobs_clear(&jobs);
}

Test(resolver_jobs, keeps_its_order_when_some_are_removed)
{
    muster__jobs jobs = {.n = 0};
    uint64_t numbers[300];
    uint64_t due_ns = 0;
    muster__job job;

    srandom(2);
    for (size_t i = 0; i < 300; i++) {
        numbers[i] = add(&jobs, (uint64_t)random() % 1000);
    }
    for (size_t i = 0; i < 300; i += 3) {
        muster__jobs_remove(&jobs, numbers[i]);
        muster__jobs_remove(&jobs, numbers[i]);
    }
    for (size_t i = 0; i < 200; i++) {
        cr_assert(muster__jobs_take(&jobs, 1000, &job));
        cr_assert_geq(job.due_ns, due_ns);
        cr_assert_neq(job.number % 3, numbers[0] % 3);
        due_ns = job.due_ns;
    }
    cr_expect_eq(muster__jobs_due_ns(&jobs), UINT64_MAX);
    muster__jobs_clear(&jobs);
}

Test(resolver_jobs, gives_no_job_before_its_time)
{
    muster__jobs jobs = {.n = 0};
    muster__job job;

    (void)add(&jobs, 10);
    cr_expect_not(muster__jobs_take(&jobs, 9, &job));
    cr_expect_eq(muster__jobs_due_ns(&jobs), 10);
    cr_expect(muster__jobs_take(&jobs, 10, &job));
    muster__jobs_clear(&jobs);
}

Test(resolver_jobs, has_a_limit)
{
    muster__jobs jobs = {.n = 0};
    muster_status status = MUSTER_OK;

    while (status == MUSTER_OK) {
        status = muster__jobs_add(&jobs, 1, do_nothing, NULL, NULL);
    }
    cr_expect_eq(status, MUSTER_NOMEM);
    cr_expect_leq(jobs.n, (size_t)1 << 20);
    muster__jobs_clear(&jobs);
}
