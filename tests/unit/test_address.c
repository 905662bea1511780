/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: canonical form, and what is said of bad ones. */
#include <criterion/criterion.h>

#include "address.h"

/* The canonical form, in a static buffer; NULL when refused. */
static const char *canonical(const char *text)
{
    static char buffer[MUSTER__ADDRESS_SIZE];
    size_t length = 0;

    if (muster__address_canonical(text, buffer, &length, NULL) != MUSTER_OK) {
        return NULL;
    }
    cr_assert_eq(strlen(buffer), length);
    cr_assert_leq(length, strlen(text) + MUSTER__ADDRESS_GROWTH);
    return buffer;
}

static void expect_same(const char *text, const char *expected)
{
    const char *got = canonical(text);

    cr_assert_not_null(got, "%s was refused", text);
    cr_assert_str_eq(got, expected);
    cr_assert_str_eq(canonical(expected), expected);
}

static void expect_error(const char *text, const char *said)
{
    char buffer[MUSTER__ADDRESS_SIZE];
    size_t length = 0;
    muster_error err;

    cr_assert_eq(muster__address_canonical(text, buffer, &length, &err),
                 MUSTER_INVAL, "%s was accepted", text);
    cr_assert_not_null(strstr(err.message, said), "%s: %s", text, err.message);
    cr_assert_eq(length, 0, "an output was touched");
}

Test(address, keeps_ipv4_as_it_is)
{
    expect_same("10.0.0.1:50051", "10.0.0.1:50051");
    expect_same("0.0.0.0:1", "0.0.0.0:1");
    expect_same("255.255.255.255:65535", "255.255.255.255:65535");
}

Test(address, shortens_ipv6_and_makes_it_lower_case)
{
    expect_same("[::1]:50051", "[::1]:50051");
    expect_same("[0:0:0:0:0:0:0:1]:1", "[::1]:1");
    expect_same("[2001:DB8::00AB]:443", "[2001:db8::ab]:443");
}

Test(address, writes_embedded_ipv4_as_inet_ntop_does)
{
    expect_same("[::ffff:102:304]:1", "[::ffff:1.2.3.4]:1");
    expect_same("[::ffff:ffff:ffff]:1", "[::ffff:255.255.255.255]:1");
    expect_same("[::ffff:ffff]:1", "[::255.255.255.255]:1");
}

Test(address, keeps_the_zone_id)
{
    expect_same("[FE80::1%eth0]:50051", "[fe80::1%eth0]:50051");
    expect_same("[fe80::1%2]:50051", "[fe80::1%2]:50051");
    expect_error("[fe80::1%]:1", "zone \"%\"");
    expect_error("[fe80::1%a/b]:1", "zone \"%a/b\"");
    expect_error("[fe80::1%abcdefghijklmnop]:1", "1 to 15 characters");
}

Test(address, makes_runs_of_slashes_one)
{
    expect_same("unix:/run/x.sock", "unix:/run/x.sock");
    expect_same("unix:///run//x.sock", "unix:/run/x.sock");
}

Test(address, takes_abstract_names_as_they_are)
{
    expect_same("unix-abstract:a b//c", "unix-abstract:a b//c");
    expect_error("unix-abstract:", "nothing follows");
}

Test(address, refuses_unix_paths_that_name_no_socket)
{
    expect_error("unix:", "nothing follows");
    expect_error("unix:run/x", "not an absolute path");
    expect_error("unix:/", "not an absolute path");
    expect_error("unix:/a\nb", "control characters");
    expect_error("unix:/a\xff", "UTF-8");
}

Test(address, takes_the_longest_socket_name_and_no_longer)
{
    char text[160] = "unix:/";

    memset(text + 6, 'x', 106);
    expect_same(text, text);
    text[6 + 106] = 'x';
    expect_error(text, "108 bytes are too long for a socket's name; at most "
                       "107 are accepted");
}

Test(address, wants_a_port_from_1_to_65535)
{
    expect_error("10.0.0.1", "has no port, and a port is mandatory");
    expect_error("10.0.0.1:", "port \"\" is not a number from 1 to 65535");
    expect_error("10.0.0.1:0", "port \"0\"");
    expect_error("10.0.0.1:65536", "port \"65536\"");
    expect_error("10.0.0.1:080", "port \"080\"");
    expect_error("10.0.0.1:+1", "port \"+1\"");
    expect_error("10.0.0.1:99999999999999999999", "port \"9999");
    expect_error("[::1]", "no port after the \"]\"");
    expect_error("[::1]:x", "port \"x\"");
    expect_error("[::1]50051", "no port after the \"]\"");
}

Test(address, refuses_host_names)
{
    expect_error("localhost:50051", "\"localhost\" is a host name");
    expect_error("web.prod", "\"web.prod\" is a host name");
    expect_error("localhost:50051", "accepted are 10.0.0.1:50051, [::1]:50051");
}

Test(address, says_what_is_wrong_with_almost_addresses)
{
    expect_error("", "is no host");
    expect_error(":50051", "is no host");
    expect_error("10.0.0:1", "\"10.0.0\" is not an IPv4 address");
    expect_error("10.0.0.256:1", "\"10.0.0.256\" is not an IPv4 address");
    expect_error("10.0.0.01:1", "\"10.0.0.01\" is not an IPv4 address");
    expect_error("::1:50051", "stands in brackets");
    expect_error("[::g]:1", "\"::g\" is not an IPv6 address");
    expect_error("[]:1", "\"\" is not an IPv6 address");
    expect_error("[::1", "stands in brackets");
}

Test(address, quotes_hostile_text_safely)
{
    char text[4096];

    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    expect_error(text, "\\x0A\\x0A");
    expect_error(text, "...\"");
}
