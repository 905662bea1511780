/* SPDX-License-Identifier: Apache-2.0 */
/* What service configs say of methods: names, and the plain fields. */
#include "service_config_fixture.h"

TestSuite(service_config_methods, .fini = forget_config);

#define S UINT64_C(1000000000)

static void accept_field(const char *field)
{
    char text[512];

    (void)snprintf(text, sizeof text, "{'methodConfig': [{'name': [{}], %s}]}",
                   field);
    accept(text);
}

static void refuse_field(const char *field, const char *said)
{
    char text[512];

    (void)snprintf(text, sizeof text, "{'methodConfig': [{'name': [{}], %s}]}",
                   field);
    refuse(text, said);
}

/* ---- names: gRFC A21; grpc-go's TestParseMethodConfigDuplicatedName ---- */

Test(service_config_methods, finds_method_then_service_then_default)
{
    accept("{'methodConfig': ["
           "{'name': [{'service': 'a.B', 'method': 'C'}], 'timeout': '1s'},"
           "{'name': [{'service': 'a.B', 'method': ''}], 'timeout': '2s'},"
           "{'name': [{}], 'timeout': '3s'}]}");
    cr_assert_eq(method("/a.B/C")->timeout_ns, 1 * S);
    cr_assert_eq(method("/a.B/D")->timeout_ns, 2 * S);
    cr_assert_eq(method("/a.B/")->timeout_ns, 2 * S);
    cr_assert_eq(method("/a.C/C")->timeout_ns, 3 * S);
    cr_assert_eq(method("nonsense")->timeout_ns, 3 * S);
    cr_assert_eq(method("")->timeout_ns, 3 * S);
    cr_assert_eq(method(NULL)->timeout_ns, 3 * S);
}

Test(service_config_methods, finds_nothing_without_a_default)
{
    accept("{'methodConfig': [{'name': [{'service': 'a.B'}]}]}");
    cr_assert_not_null(method("/a.B/C"));
    cr_assert_null(method("/a.B"));
    cr_assert_null(method("/a.C/C"));
    cr_assert_null(method(NULL));
}

Test(service_config_methods, take_empty_names_for_the_default)
{
    accept("{'methodConfig': [{'name': [{'service': '', 'method': ''}],"
           "'timeout': '1s'}]}");
    cr_assert_eq(method("/a/b")->timeout_ns, 1 * S);
}

Test(service_config_methods, share_one_config_among_names)
{
    accept("{'methodConfig': [{'name': [{'service': 'a'}, {'service': 'b',"
           "'method': 'm'}]}, {'timeout': '1s'}, {'name': []}]}");
    cr_assert_eq(method("/a/x"), method("/b/m"));
    cr_assert_null(method("/b/x"));
}

Test(service_config_methods, refuse_a_name_twice)
{
    refuse("{'methodConfig': [{'name': [{'service': 'a'}, {'service': 'a'}]}]}",
           "methodConfig[0].name[1]: must not be a name that methodConfig[0] "
           "has");
    refuse("{'methodConfig': [{'name': [{'service': 'a', 'method': 'b'}]},"
           "{'name': [{'service': 'a', 'method': 'b'}]}]}",
           "methodConfig[1].name[0]: must not be a name that methodConfig[0]");
    refuse("{'methodConfig': [{'name': [{}]}, {'name': [{'service': ''}]}]}",
           "methodConfig[1].name[0]: must not be");
}

Test(service_config_methods, refuse_a_method_without_a_service)
{
    refuse("{'methodConfig': [{'name': [{'method': 'b'}]}]}",
           "methodConfig[0].name[0].service: must be given with a method");
    refuse("{'methodConfig': [{'name': [{'service': 1}]}]}",
           "methodConfig[0].name[0].service: must be a string");
    refuse("{'methodConfig': [{'name': [1]}]}",
           "methodConfig[0].name[0]: must be an object");
    refuse("{'methodConfig': [{'name': {}}]}",
           "methodConfig[0].name: must be an array");
    refuse("{'methodConfig': [null]}", "methodConfig[0]: must be an object");
}

/* ---- timeout: proto3 JSON; grpc-go's TestParseDuration ---- */

static void expect_timeout(const char *text, uint64_t ns)
{
    char field[64];

    (void)snprintf(field, sizeof field, "'timeout': '%s'", text);
    accept_field(field);
    cr_assert_eq(method("/a/b")->timeout_ns, ns, "%s", text);
}

Test(service_config_methods, read_durations)
{
    expect_timeout("1s", S);
    expect_timeout("1.5s", S * 3 / 2);
    expect_timeout("0.000000001s", 1);
    expect_timeout("1.003s", S + 3000000);
    expect_timeout("0s", 0);
    expect_timeout("0003.10s", 3 * S + 100000000);
    expect_timeout("315576000000s", INT64_MAX);
}

Test(service_config_methods, refuse_what_is_no_duration)
{
    static const char *const bad[] = {
        "''",
        "'s'",
        "'1'",
        "'1m'",
        "'-1s'",
        "'1.s'",
        "'.5s'",
        "' 1s'",
        "'1s '",
        "'1.0000000001s'",
        "'1e3s'",
        "'+1s'",
        "1",
        "'1,5s'",
        "'315576000001s'",
        "{}",
        "'1.5.1s'",
        "'0x1s'",
        "'9999999999999s'",
    };
    char field[64];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(field, sizeof field, "'timeout': %s", bad[i]);
        refuse_field(field, "methodConfig[0].timeout: must be a duration");
    }
}

/* ---- waitForReady ---- */

Test(service_config_methods, tell_fail_fast_from_nothing_said)
{
    accept_field("'waitForReady': false");
    cr_assert(method("/a/b")->says_wait_for_ready);
    cr_assert_not(method("/a/b")->is_wait_for_ready);
    accept_field("'waitForReady': true");
    cr_assert(method("/a/b")->is_wait_for_ready);
    accept_field("'timeout': '1s'");
    cr_assert_not(method("/a/b")->says_wait_for_ready);
    refuse_field("'waitForReady': 'true'",
                 "methodConfig[0].waitForReady: must be true or false");
}

/* ---- message sizes: C core's message size parser tests ---- */

static uint64_t request_limit(const char *value)
{
    char field[64];

    (void)snprintf(field, sizeof field, "'maxRequestMessageBytes': %s", value);
    accept_field(field);
    return method("/a/b")->max_request_bytes;
}

Test(service_config_methods, read_sizes_as_numbers_and_strings)
{
    cr_assert_eq(request_limit("1024"), 1024);
    cr_assert_eq(request_limit("'1024'"), 1024);
    cr_assert_eq(request_limit("1e3"), 1000);
    cr_assert_eq(request_limit("'1e3'"), 1000);
    cr_assert_eq(request_limit("10.0"), 10);
    cr_assert_eq(request_limit("0"), 0);
    cr_assert_eq(request_limit("4294967295"), UINT32_MAX);
    cr_assert_eq(method("/a/b")->max_response_bytes, UINT64_MAX);
    accept_field("'maxResponseMessageBytes': '7'");
    cr_assert_eq(method("/a/b")->max_response_bytes, 7);
    cr_assert_eq(method("/a/b")->max_request_bytes, UINT64_MAX);
}

Test(service_config_methods, refuse_what_is_no_size)
{
    static const char *const bad[] = {
        "-1",    "'-1'", "1.5",   "4294967296", "''",  "'a'",
        "' 1'",  "'1 '", "'0x1'", "true",       "[]",  "'1,0'",
        "'Inf'", "'1a'", "'-'",   "'+1'",       "'[]'"};
    char field[64];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(field, sizeof field, "'maxResponseMessageBytes': %s",
                       bad[i]);
        refuse_field(field, "methodConfig[0].maxResponseMessageBytes: must be a"
                            " whole number from 0 to 4294967295");
    }
}
