/* SPDX-License-Identifier: Apache-2.0 */
/* How addresses are written for C core, and whose name a connection goes by. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "grpc_target.h"

static void expect_target(const char *address, const char *expected)
{
    char *target = NULL;

    cr_assert_eq(muster__grpc_target_of_address(address, &target), MUSTER_OK);
    cr_expect(strncmp(target, expected, strlen(expected)) == 0, "%s", target);
    cr_expect(muster__grpc_is_target(target), "%s", target);
    cr_expect_not(muster__grpc_is_target(expected));
    free(target);
}

Test(grpc_target, is_written_as_c_core_reads_it)
{
    expect_target("10.0.0.1:80", "ipv4:10.0.0.1:80");
    expect_target("[::1]:80", "ipv6:[::1]:80");
    expect_target("[fe80::1%eth0]:80", "ipv6:[fe80::1%25eth0]:80");
    expect_target("unix:/a b?c#d%e", "unix:/a%20b%3Fc%23d%25e");
    expect_target("unix-abstract:name", "unix-abstract:name");
}

Test(grpc_target, takes_the_authority_nearest_to_the_endpoint)
{
    const muster_endpoint named = {.address = "10.0.0.1:80",
                                   .hostname = "host"};
    const muster_endpoint plain = {.address = "10.0.0.1:80"};
    const muster_endpoint path = {.address = "unix:/run/x"};

    cr_expect_str_eq(muster__grpc_authority_of(&named, "name"), "host");
    cr_expect_str_eq(muster__grpc_authority_of(&plain, "name"), "name");
    cr_expect_str_eq(muster__grpc_authority_of(&plain, NULL), "10.0.0.1:80");
    cr_expect_str_eq(muster__grpc_authority_of(&path, NULL), "localhost");
}
