/* SPDX-License-Identifier: Apache-2.0 */
/* Load reports: reading them, and the weight that one gives. */
#include "../../balancers/weighted_round_robin/load_report.h"

#include <criterion/criterion.h>
#include <math.h>

#include "orca.h"

static bool reads(const void *bytes, size_t size)
{
    muster__load_report report;

    return muster__load_report_read(bytes, size, &report);
}

Test(load_report, has_the_four_numbers)
{
    orca message = orca_report(0.5, 200, 3);
    muster__load_report report;

    orca_add(&message, ORCA_CPU, 0.25);
    cr_assert(muster__load_report_read(message.bytes, message.size, &report));
    cr_expect_eq(report.application_utilization, 0.5);
    cr_expect_eq(report.calls_per_second, 200);
    cr_expect_eq(report.errors_per_second, 3);
    cr_expect_eq(report.cpu_utilization, 0.25);
}

Test(load_report, is_all_zero_when_empty)
{
    muster__load_report report = {1, 1, 1, 1};

    cr_assert(muster__load_report_read("", 0, &report));
    cr_expect_eq(report.application_utilization, 0);
    cr_expect_eq(report.cpu_utilization, 0);
    cr_expect_eq(report.calls_per_second, 0);
    cr_expect_eq(report.errors_per_second, 0);
}

Test(load_report, may_say_more_than_is_needed)
{
    /* mem_utilization 0; rps 300 (varint); named_metrics {"a": 1};
     * field 1000 of 4 bytes; then cpu_utilization 1. */
    static const unsigned char bytes[] = {
        0x11, 0,    0,   0,    0,    0, 0, 0, 0, 0x18, 0xac, 0x02, 0x42, 0x0c,
        0x0a, 0x01, 'a', 0x11, 0,    0, 0, 0, 0, 0,    0xf0, 0x3f, 0xc5, 0x3e,
        1,    2,    3,   4,    0x09, 0, 0, 0, 0, 0,    0,    0xf0, 0x3f};
    muster__load_report report;

    cr_assert(muster__load_report_read(bytes, sizeof bytes, &report));
    cr_expect_eq(report.cpu_utilization, 1);
    cr_expect_eq(report.calls_per_second, 0);
}

Test(load_report, takes_the_last_of_several)
{
    orca message = orca_report(0.5, 200, 3);
    muster__load_report report;

    orca_add(&message, ORCA_RPS, 7);
    cr_assert(muster__load_report_read(message.bytes, message.size, &report));
    cr_expect_eq(report.calls_per_second, 7);
}

Test(load_report, is_refused_wherever_it_is_cut)
{
    orca message = orca_report(0.5, 200, 3);

    for (uint32_t size = 0; size <= message.size; size++) {
        cr_expect_eq(reads(message.bytes, size), size % 9 == 0, "%u", size);
    }
}

Test(load_report, is_refused_when_malformed)
{
    static const unsigned char too_long[] = {0x42, 5, 1, 2, 3, 4};
    static const unsigned char huge[] = {0x42, 0xff, 0xff, 0xff, 0xff, 0xff,
                                         0xff, 0xff, 0xff, 0xff, 0x01};
    static const unsigned char endless[] = {0x18, 0x80, 0x80, 0x80, 0x80, 0x80,
                                            0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    static const unsigned char group[] = {0x0b, 0x0c};
    static const unsigned char no_field[] = {0x01, 0, 0, 0, 0, 0, 0, 0, 0};

    cr_expect_not(reads(too_long, sizeof too_long));
    cr_expect_not(reads(huge, sizeof huge));
    cr_expect_not(reads(endless, sizeof endless));
    cr_expect_not(reads(group, sizeof group));
    cr_expect_not(reads(no_field, sizeof no_field));
}

Test(load_report, that_is_refused_leaves_the_output)
{
    muster__load_report report = {1, 2, 3, 4};

    cr_assert_not(muster__load_report_read("\x09", 1, &report));
    cr_expect_eq(report.cpu_utilization, 1);
    cr_expect_eq(report.errors_per_second, 4);
}

static double weight(double cpu, double application, double rps, double eps)
{
    const muster__load_report report = {.cpu_utilization = cpu,
                                        .application_utilization = application,
                                        .calls_per_second = rps,
                                        .errors_per_second = eps};

    return muster__load_report_weight(&report, 0.9);
}

Test(load_report, gives_calls_per_second_at_full_utilization)
{
    cr_expect_float_eq(weight(0, 1, 10, 0), 10, 1e-9);
    cr_expect_float_eq(weight(0, 0.1, 10, 0), 100, 1e-9);
    cr_expect_float_eq(weight(0, 2, 10, 0), 5, 1e-9);
}

Test(load_report, counts_the_cpu_when_the_application_is_silent)
{
    cr_expect_float_eq(weight(0.5, 0, 10, 0), 20, 1e-9);
    cr_expect_float_eq(weight(0.5, 0.1, 10, 0), 100, 1e-9);
}

Test(load_report, counts_errors_as_utilization)
{
    cr_expect_float_eq(weight(0, 0.1, 10, 10), 10, 1e-9);
    cr_expect_float_eq(weight(0, 0.1, 10, 5), 10 / 0.55, 1e-9);
}

Test(load_report, gives_no_weight_without_calls_or_utilization)
{
    cr_expect_eq(weight(0, 0, 10, 0), 0);
    cr_expect_eq(weight(0, 0.5, 0, 0), 0);
    cr_expect_eq(weight(0, 0, 10, 10), 0);
}

Test(load_report, gives_no_weight_by_numbers_that_are_none)
{
    cr_expect_eq(weight(0, NAN, 10, 0), 0);
    cr_expect_eq(weight(0, 0.5, NAN, 0), 0);
    cr_expect_eq(weight(0, 0.5, INFINITY, 0), 0);
    cr_expect_eq(weight(0, INFINITY, 10, 0), 0);
    cr_expect_eq(weight(0, -0.5, 10, 0), 0);
    cr_expect_eq(weight(0, 0.5, -10, 0), 0);
    cr_expect_eq(weight(0, 5e-324, 1e308, 0), 0);
    cr_expect_float_eq(weight(0, 0.5, 10, NAN), 20, 1e-9);
}
