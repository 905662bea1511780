/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of a call, as a policy asks for them. */
#include <criterion/criterion.h>

#include "call_headers.h"

static grpc_metadata item(const char *key, const char *value)
{
    return (grpc_metadata){.key = grpc_slice_from_static_string(key),
                           .value = grpc_slice_from_static_string(value)};
}

Test(call_headers, stay_when_others_are_asked_for)
{
    const grpc_metadata metadata[] = {item("x-a", "1"), item("x-b", "2"),
                                      item("x-a", "3")};
    muster__call_header *found = NULL;
    const char *a = muster__call_headers_find(&found, metadata, 3, "x-a");
    const char *b = muster__call_headers_find(&found, metadata, 3, "x-b");

    cr_expect_str_eq(a, "1,3");
    cr_expect_str_eq(b, "2");
    cr_expect_eq(muster__call_headers_find(&found, metadata, 3, "x-a"), a);
    cr_expect_null(muster__call_headers_find(&found, metadata, 3, "x"));
    muster__call_headers_fini(found);
}

Test(call_headers, may_be_empty)
{
    const grpc_metadata metadata[] = {item("x-a", ""), item("x-a", "1"),
                                      item("x-b", "")};
    muster__call_header *found = NULL;

    cr_expect_str_eq(muster__call_headers_find(&found, metadata, 3, "x-a"),
                     ",1");
    cr_expect_str_eq(muster__call_headers_find(&found, metadata, 3, "x-b"), "");
    muster__call_headers_fini(found);
}
