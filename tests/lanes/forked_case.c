/* SPDX-License-Identifier: Apache-2.0 */
/* Of libcriterion, what a case calls: in a forked process it tells this runner,
 * in one that Criterion started, it is passed on to Criterion. */
#include "forked_case.h"

#include <criterion/criterion.h>
#include <criterion/internal/new_asserts.h>
#include <criterion/logging.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Calls the function of this name that Criterion has. */
#define PASS_ON(name, args)                                                    \
    do {                                                                       \
        __typeof__(&name) original;                                            \
        *(void **)&original = dlsym(RTLD_NEXT, #name);                         \
        if (original == NULL) {                                                \
            abort();                                                           \
        }                                                                      \
        original args;                                                         \
    } while (0)

/* The text of a call that has a format and arguments. */
#define FORMAT(text, format)                                                   \
    do {                                                                       \
        va_list args;                                                          \
        va_start(args, format);                                                \
        (void)vsnprintf(text, sizeof(text), format, args);                     \
        va_end(args);                                                          \
    } while (0)

enum { TEXT_SIZE = 4096 };

static struct {
    const struct criterion_test *test;
    const struct criterion_suite *suite;
    forked_report *report; /* NULL: this process is not ours */
    jmp_buf phase;
    bool is_whole; /* no phase was aborted */
} current;

static bool is_ours(void)
{
    return current.report != NULL;
}

/* In one piece, beside those of other cases. */
static void say(const char *prefix, const char *text)
{
    (void)dprintf(STDERR_FILENO, "[%s] %s::%s: %s\n", prefix,
                  current.test->category, current.test->name, text);
}

static void run_phase(void (*phase)(void))
{
    if (setjmp(current.phase) != 0) {
        current.is_whole = false;
        return;
    }
    phase();
}

static void call(void (*fixture)(void))
{
    if (fixture != NULL) {
        fixture();
    }
}

static void set_up(void)
{
    if (current.suite != NULL && current.suite->data != NULL) {
        call(current.suite->data->init);
    }
    call(current.test->data->init);
}

static void tear_down(void)
{
    call(current.test->data->fini);
    if (current.suite != NULL && current.suite->data != NULL) {
        call(current.suite->data->fini);
    }
}

/* The three phases, which Test() calls. As in Criterion: a case that aborts is
 * finished, and one that aborts in its set-up is not begun. */
void criterion_internal_test_setup(void)
{
    if (!is_ours()) {
        PASS_ON(criterion_internal_test_setup, ());
        return;
    }
    run_phase(set_up);
    if (!current.is_whole) {
        exit(EXIT_FAILURE);
    }
}

void criterion_internal_test_main(void (*fn)(void))
{
    if (!is_ours()) {
        PASS_ON(criterion_internal_test_main, (fn));
        return;
    }
    run_phase(fn);
}

void criterion_internal_test_teardown(void)
{
    if (!is_ours()) {
        PASS_ON(criterion_internal_test_teardown, ());
        return;
    }
    run_phase(tear_down);
    atomic_store(&current.report->has_ended, current.is_whole);
}

void criterion_send_assert(struct criterion_assert_stats *stats)
{
    if (!is_ours()) {
        PASS_ON(criterion_send_assert, (stats));
        return;
    }
    if (!stats->passed) {
        atomic_fetch_add(&current.report->failed_asserts, 1);
        (void)dprintf(STDERR_FILENO,
                      "[----] %s:%u: %s::%s: Assertion Failed\n[----]   %s\n",
                      stats->file, stats->line, current.test->category,
                      current.test->name, stats->message);
    }
}

void criterion_abort_test(void)
{
    if (!is_ours()) {
        PASS_ON(criterion_abort_test, ());
    }
    longjmp(current.phase, 1);
}

void criterion_continue_test(void)
{
    if (!is_ours()) {
        PASS_ON(criterion_continue_test, ());
    }
}

void criterion_skip_test(const char *format, ...)
{
    char text[TEXT_SIZE];

    FORMAT(text, format);
    if (!is_ours()) {
        PASS_ON(criterion_skip_test, ("%s", text));
    }
    say("SKIP", text);
    atomic_store(&current.report->is_skipped, true);
    exit(EXIT_SUCCESS);
}

void criterion_test_die(const char *msg, ...)
{
    char text[TEXT_SIZE];

    FORMAT(text, msg);
    if (!is_ours()) {
        PASS_ON(criterion_test_die, ("%s", text));
    }
    say("----", text);
    exit(EXIT_FAILURE);
}

/* As in Criterion: a warning or an error fails the program, information is only
 * for those who ask for it. */
void cr_log(enum criterion_severity severity, const char *msg, ...)
{
    char text[TEXT_SIZE];

    FORMAT(text, msg);
    if (!is_ours()) {
        PASS_ON(cr_log, (severity, "%s", text));
        return;
    }
    if (severity != CR_LOG_INFO) {
        atomic_fetch_add(&current.report->failed_asserts, 1);
        say("----", text);
    }
}

/* Of criterion/new/assert.h: they draw what differs in Criterion's process. */
void cri_assert_node_send(const char *file, size_t line,
                          struct cri_assert_node *tree)
{
    if (!is_ours()) {
        PASS_ON(cri_assert_node_send, (file, line, tree));
        return;
    }
    criterion_test_die("%s:%zu: only Criterion tells what failed: give this "
                       "program an argument, as --verbose",
                       file, line);
}

void forked_case_run(const struct criterion_test *test,
                     const struct criterion_suite *suite, forked_report *report)
{
    current.test = test;
    current.suite = suite;
    current.report = report;
    current.is_whole = true;
    test->test();
    exit(EXIT_SUCCESS);
}
