/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of grpc.health.v1, byte by byte. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "calling.h"
#include "health_message.h"

static int status_of(const char *bytes, size_t n)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes, n);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    int status = muster__grpc_health_status(message);

    grpc_slice_unref(slice);
    grpc_byte_buffer_destroy(message);
    return status;
}

#define STATUS_OF(bytes) status_of(bytes, sizeof(bytes) - 1)

static void expect_request(const char *service, const char *expected)
{
    grpc_byte_buffer *message = muster__grpc_health_request(service);
    char *text = text_of(message);

    cr_expect_str_eq(text, expected);
    free(text);
    grpc_byte_buffer_destroy(message);
}

Test(grpc_health_message, asks_for_a_service)
{
    char name[301];
    char expected[304] = "\x0a\xac\x02"; /* 300 = 2 * 128 + 44 */

    expect_request("", "");
    expect_request("a.B", "\x0a\x03"
                          "a.B");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    strcat(expected, name);
    expect_request(name, expected);
}

Test(grpc_health_message, is_understood)
{
    cr_expect_eq(STATUS_OF(""), 0);
    cr_expect_eq(STATUS_OF("\x08\x01"), 1);
    cr_expect_eq(STATUS_OF("\x08\x81\x80\x00"), 1);
    cr_expect_eq(STATUS_OF("\x08\x01\x08\x02"), 2);
    cr_expect_eq(STATUS_OF("\x08\xff\xff\xff\xff\x07"), INT32_MAX);
}

Test(grpc_health_message, may_have_fields_that_are_not_known)
{
    cr_expect_eq(STATUS_OF("\x12\x02zz\x08\x01"), 1);
    cr_expect_eq(STATUS_OF("\x10\x07\x08\x01"), 1);
    cr_expect_eq(STATUS_OF("\x11zzzzzzzz\x08\x01"), 1);
    cr_expect_eq(STATUS_OF("\x15zzzz\x08\x01"), 1);
}

Test(grpc_health_message, is_refused_when_it_is_broken)
{
    cr_expect_eq(STATUS_OF("\x08"), -1);
    cr_expect_eq(STATUS_OF("\x08\x80"), -1);
    cr_expect_eq(STATUS_OF("\x08\xff\xff\xff\xff\x0f"), -1);
    cr_expect_eq(STATUS_OF("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                 -1);
    cr_expect_eq(STATUS_OF("\x12\x03zz"), -1);
    cr_expect_eq(STATUS_OF("\x12"), -1);
    cr_expect_eq(STATUS_OF("\x11zzzz"), -1);
    cr_expect_eq(STATUS_OF("\x15zz"), -1);
    cr_expect_eq(STATUS_OF("\x0b"), -1);
    cr_expect_str_eq(muster__grpc_health_name(-1),
                     "an answer that is not understood");
    cr_expect_str_eq(muster__grpc_health_name(3), "SERVICE_UNKNOWN");
}
