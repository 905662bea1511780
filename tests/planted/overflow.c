/* SPDX-License-Identifier: Apache-2.0 */
/* A test that writes past its memory on purpose. */
#include <criterion/criterion.h>
#include <stdlib.h>

static volatile size_t past_the_end = 7;

Test(planted, overflow)
{
    char *memory = malloc(7);

    cr_assert_not_null(memory);
    memory[past_the_end] = 1;
    free(memory);
}
