/* SPDX-License-Identifier: Apache-2.0 */
/* A case of a Criterion test in a process that was forked for it. */
#ifndef MUSTER_TESTS_FORKED_CASE_H
#define MUSTER_TESTS_FORKED_CASE_H

#include <criterion/types.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdnoreturn.h>

/* What a case tells: in memory that it shares with its runner, so that also a
 * case that crashes, and a process that it forked, is heard. */
typedef struct forked_report {
    atomic_uint failed_asserts;
    atomic_bool has_ended; /* all of it was run, fini, too */
    atomic_bool is_skipped;
} forked_report;

/* Runs a case, and ends this process: normally, also after a failed assertion,
 * so that LeakSanitizer looks. suite is NULL if none was declared. */
noreturn void forked_case_run(const struct criterion_test *test,
                              const struct criterion_suite *suite,
                              forked_report *report);

#endif
