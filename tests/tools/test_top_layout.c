/* SPDX-License-Identifier: Apache-2.0 */
/* How muster top lays its lines out, by the width there is. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top/layout.h"
#include "top/words.h"

static top_endpoint endpoints[] = {
    {.address = "10.0.0.1:50051",
     .state = "READY",
     .weight = 1,
     .in_flight = 3,
     .rate = 1234,
     .share = 0.8},
    {.address = "10.0.0.22:50051",
     .state = "TRANSIENT_FAILURE",
     .reason = "connection refused",
     .weight = 2,
     .backoff_left_ms = 2500,
     .rate = TOP_NO_RATE,
     .share = TOP_NO_RATE},
};

static top_target target = {.name = "dns:///shop",
                            .state = "READY",
                            .policy = "round_robin",
                            .has_list = true,
                            .age_ms = 3200,
                            .endpoints = endpoints,
                            .n_endpoints = 2,
                            .n_listed = 2,
                            .n_ready = 1,
                            .in_flight = 3,
                            .rate = 1234};

static top_snapshot snapshot = {.pid = 7,
                                .program = "shop",
                                .version = "0.2.0",
                                .targets = &target,
                                .n_targets = 1,
                                .n_endpoints = 2,
                                .n_listed = 2,
                                .n_ready = 1,
                                .in_flight = 3,
                                .rate = 1234};

/* All lines; the caller's. Checks that no line is wider than the paper, and
 * that spans cover their lines. */
static char *text_of(top_paper paper)
{
    top_page page;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    top_page_init(&page);
    top_layout(&snapshot, &paper, &page);
    cr_assert_not(page.is_out_of_memory);
    for (size_t i = 0; i < page.n_lines; i++) {
        const top_line *line = &page.lines[i];
        size_t length = 0;

        for (size_t k = 0; k < line->n_spans; k++) {
            cr_assert_eq(line->spans[k].first, length);
            length += line->spans[k].length;
        }
        cr_assert_eq(length, line->length);
        (void)fprintf(out, "%s\n", line->text != NULL ? line->text : "");
        cr_expect(line->text == NULL || paper.width == 0 ||
                      top_text_width(line->text) <= paper.width,
                  "%zu: \"%s\"", paper.width, line->text);
    }
    (void)fclose(out);
    top_page_fini(&page);
    return text;
}

static void expect_text(size_t width, const char *expected)
{
    char *text = text_of((top_paper){.width = width, .has_headings = true});

    cr_expect_str_eq(text, expected);
    free(text);
}

Test(top_layout, leaves_nothing_out_on_paper_without_an_end)
{
    expect_text(
        0,
        "shop  pid 7  muster 0.2.0\n"
        "1 target  1/2 ready  1234 calls/s  3 in flight\n"
        "\n"
        "dns:///shop  READY  fresh 3.2s  round_robin  1/2 ready  1234 calls/s  "
        "3 in flight\n"
        "  ADDRESS          STATE       CALLS/S  SHARE              INFLIGHT  "
        "WEIGHT  BACKOFF  REASON\n"
        "  10.0.0.1:50051   READY          1234    80%  ##########         3  "
        "     1        -  -\n"
        "  10.0.0.22:50051  FAILURE           -      -                     0  "
        "     2     2.5s  connection refused\n");
}

Test(top_layout, has_reasons_below_in_80_columns)
{
    expect_text(
        80,
        "shop  pid 7  muster 0.2.0\n"
        "1 target  1/2 ready  1234 calls/s  3 in flight\n"
        "\n"
        "dns:///shop  READY  fresh 3.2s  round_robin  1/2 ready  1234 calls/s\n"
        "  3 in flight\n"
        "  ADDRESS         STATE      CALLS/S SHARE               INFLIGHT "
        "WEIGHT BACKOFF\n"
        "  10.0.0.1:50051  READY         1234   80% #############        3 "
        "     1       -\n"
        "  10.0.0.22:50051 FAILURE          -     -                      0 "
        "     2    2.5s\n"
        "    ! connection refused\n");
}

Test(top_layout, leaves_columns_out_in_40)
{
    expect_text(40, "shop  pid 7  muster 0.2.0\n"
                    "1 target  1/2 ready  1234 calls/s\n"
                    "  3 in flight\n"
                    "\n"
                    "dns:///shop  READY  fresh 3.2s\n"
                    "  round_robin  1/2 ready  1234 calls/s\n"
                    "  3 in flight\n"
                    "  ADDRESS         STATE      CALLS/S\n"
                    "  10.0.0.1:50051  READY         1234\n"
                    "  10.0.0.22:50051 FAILURE          -\n"
                    "    ! again in 2.5s: connection refused\n");
}

Test(top_layout, fits_any_width)
{
    for (size_t width = 30; width < 250; width++) {
        free(text_of((top_paper){.width = width, .has_headings = true}));
        free(text_of((top_paper){.width = width, .is_utf8 = true}));
    }
}

Test(top_layout, has_no_headings_when_none_are_wanted)
{
    char *text = text_of((top_paper){.width = 0});

    cr_expect_null(strstr(text, "ADDRESS"));
    free(text);
}

Test(top_layout, breaks_long_troubles)
{
    static char reason[] = "a very long reason with \u00e9 in it that does not "
                           "fit into a line of a terminal";
    char *text;

    endpoints[1].reason = reason;
    text = text_of((top_paper){.width = 40});
    cr_expect_not_null(strstr(text,
                              "    ! again in 2.5s: a very long reason\n"
                              "      with \u00e9 in it that does not fit\n"
                              "      into a line of a terminal\n"),
                       "%s", text);
    free(text);
}

Test(top_layout, says_how_a_list_is)
{
    static char failure[] = "consul: 503";
    char *text;

    target.is_stale = true;
    target.failure = failure;
    text = text_of((top_paper){.width = 0});
    cr_expect_not_null(strstr(text, "  STALE 3.2s  "));
    cr_expect_not_null(strstr(text, "\n  ! consul: 503\n"));
    free(text);
    target.is_stale = false;
    target.is_held = true;
    text = text_of((top_paper){.width = 0});
    cr_expect_not_null(strstr(text, "  held 3.2s  "));
    free(text);
    target.has_list = false;
    text = text_of((top_paper){.width = 0});
    cr_expect_not_null(strstr(text, "  no list  "));
    free(text);
}

/* ---- words ---- */

static void expect_rate(double rate, const char *expected)
{
    char word[TOP_WORD_SIZE];

    top_word_rate(rate, word);
    cr_expect_str_eq(word, expected);
}

Test(top_words, keep_rates_short)
{
    expect_rate(TOP_NO_RATE, "-");
    expect_rate(0, "0");
    expect_rate(0.04, "0.0");
    expect_rate(9.94, "9.9");
    expect_rate(9.96, "10");
    expect_rate(9999, "9999");
    expect_rate(9999.6, "10.0k");
    expect_rate(12345, "12.3k");
    expect_rate(999960, "1.00M");
    expect_rate(12345678, "12.35M");
}

static void expect_share(double share, const char *expected)
{
    char word[TOP_WORD_SIZE];

    top_word_share(share, word);
    cr_expect_str_eq(word, expected);
}

Test(top_words, keep_shares_short)
{
    expect_share(TOP_NO_RATE, "-");
    expect_share(0, "0%");
    expect_share(0.001, "0.1%");
    expect_share(0.0994, "9.9%");
    expect_share(0.0996, "10%");
    expect_share(1, "100%");
}

static void expect_bar(double part, size_t width, bool is_utf8,
                       const char *expected)
{
    char bar[TOP_BAR_SIZE];

    top_word_bar(part, width, is_utf8, bar);
    cr_expect_str_eq(bar, expected);
}

Test(top_words, draw_bars)
{
    expect_bar(0.5, 4, false, "##  ");
    expect_bar(1, 4, false, "####");
    expect_bar(-1, 4, false, "    ");
    expect_bar(0.5, 1, true, "\u258c");
    expect_bar(1, 2, true, "\u2588\u2588");
    expect_bar(0, 2, true, "  ");
}

Test(top_words, cut_text_between_code_points)
{
    cr_expect_eq(top_text_width("a\u00e9b"), 3);
    cr_expect_eq(top_text_bytes("a\u00e9b", 2), 3);
    cr_expect_eq(top_text_bytes("a\u00e9b", 9), 4);
    cr_expect_eq(top_text_bytes("abc", 0), 0);
}
