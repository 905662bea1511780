/* SPDX-License-Identifier: Apache-2.0 */
/* A test whose behaviour is undefined on purpose. */
#include <criterion/criterion.h>
#include <limits.h>

static volatile int largest = INT_MAX;

Test(planted, undefined)
{
    largest = largest + 1;
    cr_assert(largest != 0);
}
