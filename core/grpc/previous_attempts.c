/* SPDX-License-Identifier: Apache-2.0 */
/* The header grpc-previous-rpc-attempts.
 *
 * C core's own retries take it out of a call's metadata (seen in 1.51 and in
 * the sources of 2026), and they have to stay on for transparent ones. What
 * credentials add comes in behind them: so it is credentials that add it. They
 * ask for no security, and so go over plaintext, too. */
#include "previous_attempts.h"

#include <pthread.h>
#include <string.h>

#include <grpc/support/string_util.h>

#include "retry/retry.h"

static const char *const numbers[MUSTER__RETRY_MAX_TRIED] = {"1", "2", "3", "4",
                                                             "5"};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Made when first used, and kept. Guarded by mutex. */
static grpc_call_credentials *tellers[MUSTER__RETRY_MAX_TRIED];

/* Answers at once. */
static int
get_metadata(void *state, grpc_auth_metadata_context context,
             grpc_credentials_plugin_metadata_cb callback, void *user_data,
             grpc_metadata items[GRPC_METADATA_CREDENTIALS_PLUGIN_SYNC_MAX],
             size_t *ret_n, grpc_status_code *ret_status,
             const char **ret_details)
{
    const char *const *number = state;

    (void)context;
    (void)callback;
    (void)user_data;
    memset(&items[0], 0, sizeof items[0]);
    items[0].key = grpc_slice_from_static_string("grpc-previous-rpc-attempts");
    items[0].value = grpc_slice_from_static_string(*number);
    *ret_n = 1;
    *ret_status = GRPC_STATUS_OK;
    *ret_details = NULL;
    return 1;
}

static char *describe(void *state)
{
    (void)state;
    return gpr_strdup("muster's grpc-previous-rpc-attempts");
}

static grpc_call_credentials *teller_of(uint32_t n)
{
    const uint32_t index =
        n < MUSTER__RETRY_MAX_TRIED ? n - 1 : MUSTER__RETRY_MAX_TRIED - 1;
    grpc_call_credentials *teller;

    pthread_mutex_lock(&mutex);
    if (tellers[index] == NULL) {
        const grpc_metadata_credentials_plugin plugin = {
            .get_metadata = get_metadata,
            .debug_string = describe,
            .state = (void *)(uintptr_t)&numbers[index],
            .type = "muster"};

        tellers[index] = grpc_metadata_credentials_create_from_plugin(
            plugin, GRPC_SECURITY_NONE, NULL);
    }
    teller = tellers[index];
    pthread_mutex_unlock(&mutex);
    return teller;
}

void muster__previous_attempts_tell(grpc_call *call, uint32_t n,
                                    grpc_call_credentials *credentials)
{
    grpc_call_credentials *teller = teller_of(n);
    grpc_call_credentials *both;

    if (credentials == NULL) {
        (void)grpc_call_set_credentials(call, teller);
        return;
    }
    both = grpc_composite_call_credentials_create(credentials, teller, NULL);
    (void)grpc_call_set_credentials(call, both);
    grpc_call_credentials_release(both);
}
