/* SPDX-License-Identifier: Apache-2.0 */
/* A test that leaks on purpose. */
#include <criterion/criterion.h>
#include <stdlib.h>

static void *volatile planted;

Test(planted, leak)
{
    planted = malloc(7);
    cr_assert_not_null(planted);
    planted = NULL;
}
