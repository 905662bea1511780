/* SPDX-License-Identifier: Apache-2.0 */
/* What servers found in the DNS are told that they are called. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>

#include "cluster.h"
#include "dns_cluster.h"

static void read_answer(const grpc_byte_buffer *response, char *text,
                        size_t size)
{
    grpc_byte_buffer_reader reader;
    grpc_slice answer;

    cr_assert(grpc_byte_buffer_reader_init(
        &reader, (grpc_byte_buffer *)(size_t)response));
    answer = grpc_byte_buffer_reader_readall(&reader);
    (void)snprintf(text, size, "%.*s", (int)GRPC_SLICE_LENGTH(answer),
                   (const char *)GRPC_SLICE_START_PTR(answer));
    grpc_slice_unref(answer);
    grpc_byte_buffer_reader_destroy(&reader);
}

/* The :authority that a server of target's got. */
static void expect_authority(const char *target, const char *wanted)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = MUSTER_CALL_WAIT_FOR_READY,
                                         .deadline_ns =
                                             now_ns() + UINT64_C(20000000000)};
    muster_call_result result = {.struct_size = sizeof result};
    muster_channel *channel = dns_channel_open(target, NULL);
    muster_call *call = NULL;
    char text[256];

    cr_assert_eq(muster_call_create(channel, "/echo.Echo/Authority", &options,
                                    &call, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    muster_call_get_result(call, &result);
    cr_assert_eq(result.status, GRPC_STATUS_OK, "%s: %s", target,
                 result.message);
    read_answer(result.response, text, sizeof text);
    cr_expect_str_eq(text, wanted);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
}

Test(dns_authority, is_the_name_with_its_port)
{
    char target[DNS_CLUSTER_TARGET_SIZE];
    char wanted[64];
    dns_cluster c;

    dns_cluster_init(&c, 1, true);
    dns_cluster_list(&c, 1);
    (void)snprintf(wanted, sizeof wanted, DNS_CLUSTER_NAME ":%d", c.port);
    expect_authority(dns_cluster_target(&c, NULL, DNS_CLUSTER_NAME, target),
                     wanted);
    dns_cluster_fini(&c);
}

Test(dns_authority, is_the_domain_of_a_service)
{
    static const unsigned weights[] = {1};
    char target[DNS_CLUSTER_TARGET_SIZE];
    dns_cluster c;

    dns_cluster_init(&c, 1, false);
    dns_cluster_list_services(&c, 1, weights, 1);
    expect_authority(dns_cluster_target(&c, NULL, DNS_CLUSTER_SERVICE, target),
                     DNS_CLUSTER_ZONE);
    dns_cluster_fini(&c);
}

/* /etc/hosts has it, so that no server is asked. */
Test(dns_authority, is_the_name_also_of_this_machine)
{
    char target[64];
    char wanted[32];
    backend server;

    cr_assert(backend_start(&server, NULL));
    (void)snprintf(target, sizeof target, "dns:///localhost:%d?type=a",
                   server.port);
    (void)snprintf(wanted, sizeof wanted, "localhost:%d", server.port);
    expect_authority(target, wanted);
    backend_kill(&server);
}
