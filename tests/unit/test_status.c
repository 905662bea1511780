/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts of statuses, errors, the version. */
#include <criterion/criterion.h>
#include <muster/status.h>
#include <muster/version.h>
#include <string.h>

Test(status, every_status_has_its_name_and_text)
{
#define X(name, value, text)                                                   \
    cr_expect_str_eq(muster_status_name(MUSTER_##name), #name);                \
    cr_expect_str_eq(muster_status_text(MUSTER_##name), text);                 \
    cr_expect_eq((int)MUSTER_##name, value);
    MUSTER_STATUS_MAP(X)
#undef X
}

Test(status, a_strange_number_is_unknown)
{
    cr_expect_str_eq(muster_status_name((muster_status)1000), "UNKNOWN");
    cr_expect_str_eq(muster_status_text((muster_status)1000), "unknown status");
}

Test(status, an_error_is_cut_to_its_room)
{
    char text[2000];
    muster_error err;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_expect_eq(muster_error_set(&err, MUSTER_INVAL, "%s", text),
                 MUSTER_INVAL);
    cr_expect_eq(err.code, MUSTER_INVAL);
    cr_expect_eq(strlen(err.message), sizeof err.message - 1);
    cr_expect_eq(muster_error_set(NULL, MUSTER_BUSY, "%s", text), MUSTER_BUSY);
}

Test(version, is_that_of_the_headers)
{
    cr_expect_str_eq(muster_version(), MUSTER_VERSION_STRING);
}
