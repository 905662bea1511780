/* SPDX-License-Identifier: Apache-2.0 */
/* A test that fails on purpose. */
#include <criterion/criterion.h>

Test(planted, assertion)
{
    cr_assert(0, "planted");
}
