/* SPDX-License-Identifier: Apache-2.0 */
/* Which statuses reach a caller: what only an application may say does not come
 * from what is between (gRFC A54), and what a server says comes as it is. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrying.h"

static backend server;
static muster_channel *channel;

static void begin(void)
{
    cr_assert(backend_start(&server, NULL));
    channel = open_retrying(&server, 1, "{}", NULL);
}

static void finish(void)
{
    muster_channel_destroy(channel);
    backend_kill(&server);
}

/* ---- the server's ---- */

Test(grpc_status, comes_from_the_server_as_it_is)
{
    begin();
    for (int status = 1; status <= 16; status++) {
        char text[8];
        const char *const headers[] = {"x-status", text, "x-echo-message",
                                       "in its own words", NULL};
        muster_call *call;

        (void)snprintf(text, sizeof text, "%d", status);
        call = make_call_with(channel, 0, headers);
        cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
        cr_expect_eq((int)result_of(call).status, status);
        cr_expect_str_eq(result_of(call).message, "in its own words");
        cr_expect_eq(result_of(call).flags, MUSTER_OUTCOME_FROM_SERVER);
        muster_call_destroy(call);
    }
    finish();
}

/* ---- of credentials, which are between ---- */

/* state points to the status. */
static int fail(void *state, grpc_auth_metadata_context context,
                grpc_credentials_plugin_metadata_cb callback, void *user_data,
                grpc_metadata *items, size_t *ret_n,
                grpc_status_code *ret_status, const char **ret_details)
{
    (void)context;
    (void)callback;
    (void)user_data;
    (void)items;
    *ret_n = 0;
    *ret_status = (grpc_status_code) * (const int *)state;
    *ret_details = strdup("no token");
    return 1;
}

static int status_of_credentials(int status)
{
    const grpc_metadata_credentials_plugin plugin = {
        .get_metadata = fail, .state = &status, .type = "test"};
    const muster_call_options options = {
        .struct_size = sizeof options,
        .credentials = grpc_metadata_credentials_create_from_plugin(
            plugin, GRPC_SECURITY_NONE, NULL)};
    muster_call *call = make_call(channel, &options);
    int found;

    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    found = (int)result_of(call).status;
    cr_expect_not_null(strstr(result_of(call).message, "no token"), "%s",
                       result_of(call).message);
    cr_expect_not_null(strstr(result_of(call).message, server.address), "%s",
                       result_of(call).message);
    cr_expect_eq(result_of(call).flags, 0);
    muster_call_destroy(call);
    grpc_call_credentials_release(options.credentials);
    return found;
}

/* C core 1.51 makes UNAVAILABLE of all, later ones keep those that are allowed
 * and make INTERNAL of the others. */
static void expect_either(int status, int expected)
{
    const int found = status_of_credentials(status);

    cr_expect(found == expected || found == GRPC_STATUS_UNAVAILABLE,
              "%d for %d", found, status);
}

Test(grpc_status, of_credentials_is_one_of_the_control_plane)
{
    static const int allowed[] = {1, 2, 4, 7, 8, 12, 13, 14, 16};
    static const int not_allowed[] = {3, 5, 6, 9, 10, 11, 15};

    begin();
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        expect_either(allowed[i], allowed[i]);
    }
    for (size_t i = 0; i < sizeof not_allowed / sizeof not_allowed[0]; i++) {
        expect_either(not_allowed[i], GRPC_STATUS_INTERNAL);
    }
    finish();
}
