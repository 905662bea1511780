/* SPDX-License-Identifier: Apache-2.0 */
/* Names and servers of a target, as they are written. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <group.h>
#include <name.h>

#define LABEL_63                                                               \
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static muster__dns_name read_name(const char *path)
{
    muster__dns_name name;
    muster_error err = {.message = ""};

    memset(&name, 0, sizeof name);
    cr_assert_eq(muster__dns_name_parse(path, &name, &err), MUSTER_OK, "%s: %s",
                 path, err.message);
    return name;
}

static void expect_refusal(const char *path, const char *text)
{
    muster__dns_name name;
    muster_error err = {.message = ""};

    cr_assert_eq(muster__dns_name_parse(path, &name, &err), MUSTER_INVAL, "%s",
                 path);
    cr_expect_not_null(strstr(err.message, text), "%s: %s", path, err.message);
}

/* ---- names ---- */

Test(dns_name, has_port_443_by_default)
{
    muster__dns_name name = read_name("web.prod");

    cr_expect_str_eq(name.text, "web.prod");
    cr_expect_str_eq(name.port, "443");
    cr_expect_not(name.has_port);
    cr_expect_not(name.is_absolute);
    cr_expect_not(name.is_service);
    cr_expect_str_eq(name.literal, "");
}

Test(dns_name, has_the_port_that_is_given)
{
    muster__dns_name name = read_name("web.prod:50051");

    cr_expect_str_eq(name.text, "web.prod");
    cr_expect_str_eq(name.port, "50051");
    cr_expect(name.has_port);
    cr_expect_str_eq(read_name("web:65535").port, "65535");
    cr_expect_str_eq(read_name("web:1").port, "1");
}

Test(dns_name, is_absolute_with_a_last_dot)
{
    muster__dns_name name = read_name("Web.PROD.:80");

    cr_expect_str_eq(name.text, "web.prod");
    cr_expect(name.is_absolute);
}

Test(dns_name, of_a_service_begins_with_an_underscore)
{
    muster__dns_name name = read_name("_grpc._tcp.web.prod");

    cr_expect(name.is_service);
    cr_expect_str_eq(muster__dns_name_skip_labels(name.text), "web.prod");
    cr_expect_str_eq(muster__dns_name_skip_labels("web.prod"), "web.prod");
    cr_expect_str_eq(muster__dns_name_skip_labels("_grpc"), "_grpc");
}

Test(dns_name, may_be_as_long_as_the_dns_allows)
{
    const char *longest = LABEL_63 "." LABEL_63 "." LABEL_63
                                   ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnop"
                                   "qrstuvwxyzabcdefghi";

    cr_assert_eq(strlen(longest), 253);
    cr_expect_str_eq(read_name(longest).text, longest);
    expect_refusal(LABEL_63 "x.test", "63 bytes each");
    expect_refusal(LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63,
                   "253 in all");
}

Test(dns_name, says_what_is_wrong_with_it)
{
    expect_refusal("", "there is no name to resolve");
    expect_refusal(":80", "there is no name to resolve");
    expect_refusal("web..prod", "\"web..prod\" is not a host name");
    expect_refusal(".web", "\".web\" is not a host name");
    expect_refusal("web prod", "\"web prod\" is not a host name");
    expect_refusal("web/prod", "\"web/prod\" is not a host name");
    expect_refusal("web:", "port \"\" is not a number from 1 to 65535");
    expect_refusal("web:0", "port \"0\" is not a number from 1 to 65535");
    expect_refusal("web:65536", "port \"65536\"");
    expect_refusal("web:http", "port \"http\"");
    expect_refusal("web:-1", "port \"-1\"");
}

Test(dns_name, in_another_alphabet_is_to_be_written_in_ascii)
{
    expect_refusal("b\xc3\xbcro.test", "xn--");
    cr_expect_str_eq(read_name("xn--bro-hoa.test").text, "xn--bro-hoa.test");
}

/* ---- addresses in their place ---- */

Test(dns_name, may_be_an_address)
{
    cr_expect_str_eq(read_name("10.0.0.1").literal, "10.0.0.1:443");
    cr_expect_str_eq(read_name("10.0.0.1:80").literal, "10.0.0.1:80");
    cr_expect_str_eq(read_name("::1").literal, "[::1]:443");
    cr_expect_str_eq(read_name("[::1]").literal, "[::1]:443");
    cr_expect_str_eq(read_name("[::1]:80").literal, "[::1]:80");
    cr_expect_str_eq(read_name("2001:DB8:0::1").literal, "[2001:db8::1]:443");
    cr_expect_str_eq(read_name("10.0.0.1").text, "");
}

Test(dns_name, says_what_is_wrong_with_an_address)
{
    expect_refusal("10.0.0.256", "10.0.0.256");
    expect_refusal("10.0.0", "10.0.0");
    expect_refusal("10.0.0.1:0", "10.0.0.1:0");
    expect_refusal("[::1", "[::1");
    expect_refusal("[::1]x", "[::1]x");
    expect_refusal("1::2::3", "1::2::3");
}

/* ---- search domains ---- */

Test(dns_name, joins_a_domain)
{
    char text[MUSTER__DNS_NAME_SIZE];

    cr_expect(muster__dns_name_join("web", "prod.test", text));
    cr_expect_str_eq(text, "web.prod.test");
    cr_expect(muster__dns_name_join("web", "", text));
    cr_expect_str_eq(text, "web");
    cr_expect_not(muster__dns_name_join("web", "a..b", text));
    cr_expect_not(muster__dns_name_join(LABEL_63 "." LABEL_63 "." LABEL_63,
                                        LABEL_63, text));
}

/* ---- servers ---- */

static muster__dns_place places[MUSTER__DNS_SERVERS_MAX];

static size_t read_places(const char *authority)
{
    size_t n = 0;
    muster_error err = {.message = ""};

    cr_assert_eq(muster__dns_places_parse(authority, places, &n, &err),
                 MUSTER_OK, "%s: %s", authority, err.message);
    return n;
}

static void refuse_places(const char *authority, const char *text)
{
    size_t n = 0;
    muster_error err = {.message = ""};

    cr_assert_eq(muster__dns_places_parse(authority, places, &n, &err),
                 MUSTER_INVAL, "%s", authority);
    cr_expect_not_null(strstr(err.message, text), "%s: %s", authority,
                       err.message);
}

Test(dns_places, are_addresses_with_or_without_ports)
{
    static const uint8_t ipv4[] = {10, 0, 0, 2};

    cr_assert_eq(read_places("10.0.0.1,10.0.0.2:5353,[2001:db8::1],[::1]:54"),
                 4);
    cr_expect_eq(places[0].port, 53);
    cr_expect_eq(places[1].port, 5353);
    cr_expect_eq(places[1].address.size, 4);
    cr_expect_arr_eq(places[1].address.bytes, ipv4, 4);
    cr_expect_eq(places[2].port, 53);
    cr_expect_eq(places[2].address.size, 16);
    cr_expect_eq(places[2].address.bytes[0], 0x20);
    cr_expect_eq(places[3].port, 54);
    cr_expect_eq(places[3].address.bytes[15], 1);
}

Test(dns_places, say_which_of_them_is_wrong)
{
    refuse_places("ns.test", "server \"ns.test\" is not an address");
    refuse_places("10.0.0.1,ns.test:53", "server \"ns.test:53\"");
    refuse_places("10.0.0.1:0", "server \"10.0.0.1:0\"");
    refuse_places("10.0.0.1:65536", "server \"10.0.0.1:65536\"");
    refuse_places("10.0.0.1x", "server \"10.0.0.1x\"");
    refuse_places("[::1", "server \"[::1\"");
    refuse_places("[10.0.0.1]", "server \"[10.0.0.1]\"");
    refuse_places("[::1]53", "server \"[::1]53\"");
    refuse_places("::1", "server \"::1\"");
    refuse_places("10.0.0.1,,10.0.0.2", "server \"\"");
}

Test(dns_places, are_16_at_most)
{
    char text[512] = "10.0.0.1";

    for (int i = 1; i < MUSTER__DNS_SERVERS_MAX; i++) {
        (void)strcat(text, ",10.0.0.1");
    }
    cr_expect_eq(read_places(text), MUSTER__DNS_SERVERS_MAX);
    (void)strcat(text, ",10.0.0.1");
    refuse_places(text, "more than 16 servers");
}
