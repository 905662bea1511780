/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a JSON text something is. */
#include <config/place.h>

#include <criterion/criterion.h>
#include <string.h>

static const char text[] = "{\n"
                           "  \"a\": {\"x\\\"]\": [1, \"}\"], \"b\": [\n"
                           "    1, [2],\n"
                           "    {\"c\": true}\n"
                           "  ]},\n"
                           "  \"d\": -1.5\n"
                           "}";

static void expect(const char *path, int line, int column)
{
    int got_line = 0;
    int got_column = 0;

    muster__place_find(text, strlen(text), path, &got_line, &got_column);
    cr_assert_eq(got_line, line, "%s: line %d", path, got_line);
    cr_assert_eq(got_column, column, "%s: column %d", path, got_column);
}

Test(config_place, is_that_of_the_value)
{
    expect("", 1, 1);
    expect("a", 2, 8);
    expect("a.b", 2, 32);
    expect("a.b[0]", 3, 5);
    expect("a.b[1][0]", 3, 9);
    expect("a.b[2].c", 4, 11);
    expect("d", 6, 8);
}

Test(config_place, is_that_of_the_nearest_value_when_there_is_none)
{
    expect("e.f", 1, 1);
    expect("a.e", 2, 8);
    expect("a.b[3]", 2, 32);
    expect("a.b[x", 3, 5);
    expect("d.x", 6, 8);
    expect("d[0]", 6, 8);
}

Test(config_place, does_not_read_past_a_torn_text)
{
    for (size_t length = 0; length < strlen(text); length++) {
        char *torn = strndup(text, length);
        int line = 0;
        int column = 0;

        muster__place_find(torn, length, "a.b[2].c", &line, &column);
        cr_assert(line >= 1 && column >= 1);
        free(torn);
    }
}
