/* SPDX-License-Identifier: Apache-2.0 */
/* Targets: core/TARGETS.md, row by row, and what its tables cannot show. */
#include <criterion/criterion.h>

#include <stdbool.h>
#include <stdlib.h>

/* The code under test, with allocations that can fail. uriparser's cannot. */
static int n_allocations_left = -1; /* -1: as many as wanted */

static bool allocation_fails(void)
{
    return n_allocations_left >= 0 && n_allocations_left-- == 0;
}

static void *failing_malloc(size_t size)
{
    return allocation_fails() ? NULL : malloc(size);
}

static void *failing_calloc(size_t n, size_t size)
{
    return allocation_fails() ? NULL : calloc(n, size);
}

#define malloc failing_malloc
#define calloc failing_calloc
#include "../../core/target_canonical.c"
#define put_text copy_of_put_text
#define take_options take_uri_options
#include "../../core/target_uri.c"
#undef take_options
#undef parse
#include "../../core/target.c"
#undef malloc
#undef calloc

/* ---- a registry that knows static, file and dns ---- */

static bool has_dns = true;
static muster_status not_there = MUSTER_NOTFOUND;

static const muster_option_info file_options[] = {{"interval", "time"}};
static const muster_resolver_class static_class = {.scheme = "static"};
static const muster_resolver_class dns_class = {.scheme = "dns",
                                                .empty = "hold:10s"};
static const muster_resolver_class file_class = {
    .scheme = "file",
    .flags = MUSTER_RESOLVER_ABSOLUTE_PATH,
    .options = file_options,
    .n_options = 1,
};

muster_status muster__registry_find_scheme(const char *scheme)
{
    const bool is_there = strcmp(scheme, "static") == 0 ||
                          strcmp(scheme, "file") == 0 ||
                          (has_dns && strcmp(scheme, "dns") == 0);

    return is_there ? MUSTER_OK : not_there;
}

void muster__registry_list_schemes(char *buffer, size_t size)
{
    snprintf(buffer, size, has_dns ? "dns, file, static" : "file, static");
}

muster_status muster__registry_resolver(const char *scheme,
                                        const muster_resolver_class **ret_class,
                                        muster__plugin **ret_plugin,
                                        muster_error *err)
{
    (void)err;
    *ret_class = *scheme == 's'   ? &static_class
                 : *scheme == 'f' ? &file_class
                                  : &dns_class;
    *ret_plugin = NULL;
    return MUSTER_OK;
}

/* ---- helpers ---- */

static muster__target *parsed(const char *text)
{
    muster__target *target = NULL;
    muster_error err;

    cr_assert_eq(muster__target_parse(text, &target, &err), MUSTER_OK, "%s",
                 err.message);
    return target;
}

static void expect_canonical(const char *text, const char *expected)
{
    muster__target *target = parsed(text);
    muster__target *again;

    cr_assert_str_eq(target->canonical, expected);
    again = parsed(target->canonical);
    cr_assert_str_eq(again->canonical, expected, "not stable");
    muster__target_destroy(target);
    muster__target_destroy(again);
}

static void expect_error(const char *text, muster_status status,
                         const char *said)
{
    muster__target *target = NULL;
    muster_error err;

    cr_assert_eq(muster__target_parse(text, &target, &err), status, "%s", text);
    cr_assert_null(target);
    cr_assert_not_null(strstr(err.message, said), "%s: %s", text, err.message);
}

/* ---- the page ---- */

static void hold_to_row(const char *text, const char *expected)
{
    if (strncmp(expected, "error: ", 7) != 0) {
        expect_canonical(text, expected);
        return;
    }
    expect_error(text,
                 strstr(expected, "no plugin") != NULL ? MUSTER_NOTFOUND
                                                       : MUSTER_INVAL,
                 expected + 7);
}

/* Takes "| `text` | `canonical` |" and "| `text` | error: ... |" apart. */
static bool take_row(char *line, char **ret_text, char **ret_expected)
{
    char *middle = strstr(line, "` | ");
    char *end = middle != NULL ? strrchr(middle + 4, '|') : NULL;

    if (strncmp(line, "| `", 3) != 0 || end == NULL) {
        return false;
    }
    *middle = '\0';
    end[-1] = '\0';
    *ret_text = line + 3;
    *ret_expected = middle + 4;
    if (**ret_expected == '`') {
        ++*ret_expected;
        end[-2] = '\0';
    }
    return true;
}

Test(target, keeps_to_every_row_of_the_page)
{
    FILE *page = fopen(MUSTER_TEST_SOURCE_DIR "/../core/TARGETS.md", "re");
    char *line = NULL;
    size_t size = 0;
    char *text;
    char *expected;
    int n_rows = 0;

    cr_assert_not_null(page);
    while (getline(&line, &size, page) >= 0) {
        if (take_row(line, &text, &expected)) {
            hold_to_row(text, expected);
            n_rows++;
        }
    }
    cr_assert_gt(n_rows, 30);
    free(line);
    fclose(page);
}

/* ---- parts ---- */

Test(target, hands_the_class_decoded_parts)
{
    muster__target *target =
        parsed("file://User@HOST.test:1/a%20b/[x]?interval=%31s&empty=keep");

    cr_assert_str_eq(target->scheme, "file");
    cr_assert_str_eq(target->authority, "User@host.test:1");
    cr_assert_str_eq(target->path, "/a b/[x]");
    cr_assert_eq(target->n_options, 1, "empty is the core's");
    cr_assert_str_eq(target->options[0].key, "interval");
    cr_assert_str_eq(target->options[0].value, "1s");
    cr_assert_eq(target->resolver, &file_class);
    cr_assert_str_eq(target->canonical, "file://User@host.test:1/a%20b/[x]"
                                        "?empty=keep&interval=1s");
    muster__target_destroy(target);
}

Test(target, hands_the_class_every_server_of_the_authority)
{
    muster__target *target =
        parsed("dns://NS.test,10.0.0.2:53,[2001:DB8::1]:53/x");

    cr_assert_str_eq(target->authority, "ns.test,10.0.0.2:53,[2001:db8::1]:53");
    cr_assert_str_eq(target->path, "x");
    muster__target_destroy(target);
}

Test(target, takes_the_first_slash_off_the_path_unless_the_class_keeps_it)
{
    muster__target *target = parsed("static:////x");

    cr_assert_str_eq(target->path, "/x");
    muster__target_destroy(target);
    target = parsed("static:///");
    cr_assert_str_eq(target->path, "");
    muster__target_destroy(target);
    target = parsed("file:///x");
    cr_assert_str_eq(target->path, "/x");
    muster__target_destroy(target);
    target = parsed("file:x");
    cr_assert_str_eq(target->path, "x");
    cr_assert_str_eq(target->canonical, "file:x");
    muster__target_destroy(target);
}

static void expect_empty(const char *text, muster__empty empty,
                         uint64_t hold_ms)
{
    muster__target *target = parsed(text);

    cr_assert_eq(target->empty, empty, "%s", text);
    cr_assert_eq(target->hold_ms, hold_ms, "%s", text);
    muster__target_destroy(target);
}

Test(target, reads_what_an_empty_list_means)
{
    expect_empty("static:///x", MUSTER__EMPTY_ACCEPT, 0);
    expect_empty("static:///x?empty=accept", MUSTER__EMPTY_ACCEPT, 0);
    expect_empty("static:///x?empty=keep", MUSTER__EMPTY_KEEP, 0);
    expect_empty("static:///x?empty=hold:30s", MUSTER__EMPTY_HOLD, 30000);
    expect_empty("static:///x?empty=hold:500ms", MUSTER__EMPTY_HOLD, 500);
    expect_empty("static:///x?empty=hold:5m", MUSTER__EMPTY_HOLD, 300000);
    expect_empty("static:///x?empty=hold:24h", MUSTER__EMPTY_HOLD, 86400000);
    expect_empty("static:///x?empty=hold:7", MUSTER__EMPTY_HOLD, 7000);
}

Test(target, takes_the_default_for_an_empty_list_from_the_class)
{
    expect_empty("dns:///x", MUSTER__EMPTY_HOLD, 10000);
    expect_empty("dns:///x?empty=accept", MUSTER__EMPTY_ACCEPT, 0);
}

Test(target, refuses_times_that_are_none)
{
    expect_error("static:///x?empty=hold:", MUSTER_INVAL, "time \"\"");
    expect_error("static:///x?empty=hold:0s", MUSTER_INVAL, "time \"0s\"");
    expect_error("static:///x?empty=hold:1d", MUSTER_INVAL, "time \"1d\"");
    expect_error("static:///x?empty=hold:s", MUSTER_INVAL, "time \"s\"");
    expect_error("static:///x?empty=hold:-1s", MUSTER_INVAL, "time \"-1s\"");
    expect_error("static:///x?empty=hold:99999999999999999999999h",
                 MUSTER_INVAL, "is not from 1ms to 24h");
}

/* ---- what is no target ---- */

Test(target, says_what_plain_text_was_taken_for_without_dns)
{
    has_dns = false;
    expect_error("web:50051", MUSTER_NOTFOUND,
                 "reads as \"dns:///web:50051\", but there is no plugin for "
                 "dns; there are: file, static");
    expect_error("dns:///web", MUSTER_NOTFOUND,
                 "there is no plugin for scheme \"dns\"");
}

Test(target, names_the_target_in_every_error)
{
    expect_error("etcd://x", MUSTER_NOTFOUND, "target \"etcd://x\": ");
    expect_error(NULL, MUSTER_INVAL, "target is NULL");
    expect_error("", MUSTER_INVAL, "target \"\": it is empty");
}

Test(target, takes_64_KiB_and_no_more)
{
    char *text = malloc((64 << 10) + 2);
    muster__target *target;

    memset(text, 'a', (64 << 10) + 1);
    memcpy(text, "static:///", 10);
    text[(64 << 10) + 1] = '\0';
    expect_error(text, MUSTER_INVAL, "longer than 65536 bytes");
    text[64 << 10] = '\0';
    target = parsed(text);
    cr_assert_eq(strlen(target->path), (64 << 10) - 10);
    muster__target_destroy(target);
    memset(text + 10, '/', (64 << 10) - 10);
    muster__target_destroy(parsed(text));
    free(text);
}

Test(target, refuses_raw_control_characters)
{
    expect_error("static:///a\nb", MUSTER_INVAL, "control character 0x0a");
    expect_error("static:///a\x7f", MUSTER_INVAL, "control character 0x7f");
    expect_error("static:///a%1F", MUSTER_INVAL, "control character 0x1f");
}

Test(target, refuses_broken_escapes)
{
    expect_error("static:///a%", MUSTER_INVAL, "\"%\" is not a percent-escape");
    expect_error("static:///a%4", MUSTER_INVAL, "\"%4\" is not");
    expect_error("static:///a%zz", MUSTER_INVAL, "\"%zz\" is not");
}

Test(target, refuses_options_without_a_name)
{
    expect_error("static:///x?=1", MUSTER_INVAL, "has no name");
    expect_error("static:///x?empty=", MUSTER_INVAL, "has no value");
    expect_error("static:///x?a%FF=1", MUSTER_INVAL, "is not UTF-8");
}

Test(target, ignores_an_empty_query)
{
    expect_canonical("static:///x?", "static:///x");
}

Test(target, says_so_when_memory_is_short)
{
    muster_status status = MUSTER_NOMEM;
    int i;

    for (i = 0; status != MUSTER_OK; i++) {
        muster__target *target = NULL;
        muster_error err;

        n_allocations_left = i;
        status = muster__target_parse("file://a,b/x?interval=1s&empty=keep",
                                      &target, &err);
        n_allocations_left = -1;
        if (status != MUSTER_OK) {
            cr_assert_eq(status, MUSTER_NOMEM);
            cr_assert_null(target);
            cr_assert_not_null(strstr(err.message, "out of memory"));
        }
        muster__target_destroy(target);
    }
    cr_assert_gt(i, 8);
}

/* Neither unknown, nor to be read as a name for dns. */
Test(target, a_scheme_that_no_memory_was_left_to_look_for)
{
    not_there = MUSTER_NOMEM;
    expect_error("other:///x", MUSTER_NOMEM, "out of memory");
    expect_error("other:/x", MUSTER_NOMEM, "out of memory");
    has_dns = false;
    expect_error("web:50051", MUSTER_NOMEM, "out of memory");
}
