/* SPDX-License-Identifier: Apache-2.0 */
/* A test that fails on purpose, with a difference that libgit2 draws. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* Of Criterion's own macro. */
#pragma GCC diagnostic ignored "-Wconversion"

Test(planted, difference)
{
    cr_assert(eq(str, "planted\nalike\n", "planted, and unlike\nalike\n"));
}
