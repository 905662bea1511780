/* SPDX-License-Identifier: Apache-2.0 */
/* JSON written without a tree. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"

static char *write_string(const char *text)
{
    muster__json_text json = {.text = NULL};
    FILE *out = muster__json_open(&json);

    cr_assert_not_null(out);
    muster__json_string(out, text);
    return muster__json_close(&json, out);
}

static void expect_string(const char *text, const char *expected)
{
    char *written = write_string(text);

    cr_expect_str_eq(written, expected);
    free(written);
}

Test(json_text, writes_strings)
{
    expect_string("", "\"\"");
    expect_string("10.0.0.1:80", "\"10.0.0.1:80\"");
    expect_string(NULL, "null");
}

Test(json_text, escapes_what_json_escapes)
{
    expect_string("a\"b\\c", "\"a\\\"b\\\\c\"");
    expect_string("a\nb\x01", "\"a\\nb\\u0001\"");
    expect_string("\u00e9", "\"\u00e9\"");
}

Test(json_text, has_null_for_what_is_not_utf8)
{
    expect_string("\xff", "null");
}

Test(json_text, grows)
{
    enum { N = 100000 };
    muster__json_text json = {.text = NULL};
    FILE *out = muster__json_open(&json);
    char *text;

    cr_assert_not_null(out);
    for (int i = 0; i < N; i++) {
        (void)fprintf(out, "%c", 'a' + i % 26);
    }
    text = muster__json_close(&json, out);
    cr_assert_eq(strlen(text), N);
    for (int i = 0; i < N; i++) {
        cr_assert_eq(text[i], 'a' + i % 26);
    }
    free(text);
}
