/* SPDX-License-Identifier: Apache-2.0 */
/* Cases that fail on purpose, each in a way of its own, and one that does not:
 * of each the runner (lanes/fork_runner.c) must say so. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void expect(void)
{
    cr_expect(0, "planted");
}

static void assertion(void)
{
    cr_assert(0, "planted");
}

Test(planted, passes)
{
    cr_assert(1);
}

Test(planted, expect)
{
    cr_expect(0, "planted");
}

Test(planted, assertion)
{
    cr_assert(0, "planted");
}

Test(planted, set_up, .init = assertion)
{
}

Test(planted, tear_down, .fini = expect)
{
}

Test(planted, tear_down_after_assertion, .fini = expect)
{
    cr_assert(0, "planted");
}

Test(planted, signals)
{
    (void)raise(SIGKILL);
}

Test(planted, does_not_signal, .signal = SIGKILL)
{
}

Test(planted, exit_code)
{
    exit(3);
}

Test(planted, other_exit_code, .exit_code = 3)
{
}

Test(planted, exits_early)
{
    exit(0);
}

Test(planted, fails_and_signals, .signal = SIGKILL)
{
    cr_expect(0, "planted");
    (void)raise(SIGKILL);
}

Test(planted, fails_and_skips)
{
    cr_expect(0, "planted");
    cr_skip_test("planted");
}

Test(planted, timeout, .timeout = 0.2)
{
    for (;;) {
        (void)pause();
    }
}
