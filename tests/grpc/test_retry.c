/* SPDX-License-Identifier: Apache-2.0 */
/* Retries against real servers that fail as they are asked to: gRFC A6. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>

#include "certificates.h"
#include "limit.h"
#include "retrying.h"

enum { MAX_SERVERS = 3 };

#define HEADERS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What one blocking call came to. */
typedef struct outcome {
    grpc_status_code status;
    uint32_t n_attempts;
    char message[256];
    uint64_t took_ns;
} outcome;

static backend servers[MAX_SERVERS];
static muster_channel *channel;

static void begin_with(size_t n, const char *config,
                       const muster_grpc_options *options,
                       const char *const *flags)
{
    for (size_t i = 0; i < n; i++) {
        cr_assert(backend_start(&servers[i], flags));
    }
    channel = open_retrying(servers, n, config, options);
}

static void begin(size_t n, const char *config)
{
    begin_with(n, config, NULL, NULL);
}

static void finish(void)
{
    muster_channel_destroy(channel);
    for (size_t i = 0; i < MAX_SERVERS; i++) {
        if (servers[i].pid != 0) {
            backend_kill(&servers[i]);
        }
    }
}

static outcome call_with(const grpc_byte_buffer *request,
                         const char *const *headers)
{
    const uint64_t start_ns = now_ns();
    muster_call *call = make_call_with(channel, 0, headers);
    muster_call_result result;
    outcome found;

    cr_assert_eq(muster_call_unary(call, request), MUSTER_OK);
    result = result_of(call);
    found = (outcome){.status = result.status,
                      .n_attempts = result.n_attempts,
                      .took_ns = now_ns() - start_ns};
    (void)snprintf(found.message, sizeof found.message, "%s", result.message);
    muster_call_destroy(call);
    return found;
}

static outcome call(const char *const *headers)
{
    return call_with(NULL, headers);
}

static uint64_t count_all(size_t n, const char *name)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += backend_count(&servers[i], name);
    }
    return sum;
}

/* ---- which, where ---- */

Test(grpc_retry, tries_again_until_a_server_answers)
{
    outcome found;

    begin(1, QUICK);
    found = call(HEADERS("x-fail-attempts", "2"));
    cr_expect_eq(found.status, GRPC_STATUS_OK, "%s", found.message);
    cr_expect_eq(found.n_attempts, 3);
    cr_expect_eq(backend_count(&servers[0], "calls"), 3);
    cr_expect_eq(stats_of(channel).retries, 2);
    finish();
}

Test(grpc_retry, tells_the_server_how_many_attempts_there_were)
{
    begin(1, QUICK);
    (void)call(HEADERS("x-fail-attempts", "0"));
    cr_expect_eq(backend_count(&servers[0], "retries"), 0);
    (void)call(HEADERS("x-fail-attempts", "3"));
    cr_expect_eq(backend_count(&servers[0], "retries"), 3);
    cr_expect_eq(backend_count(&servers[0], "failed"), 3);
    finish();
}

Test(grpc_retry, goes_to_every_endpoint_before_the_first_comes_again)
{
    outcome found;

    begin(3, QUICK);
    found = call(HEADERS("x-fail-attempts", "2"));
    cr_expect_eq(found.status, GRPC_STATUS_OK, "%s", found.message);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(backend_count(&servers[i], "calls"), 1);
    }
    finish();
}

Test(grpc_retry, does_not_go_to_the_same_endpoint_twice_in_a_row)
{
    begin(2, QUICK);
    for (int i = 0; i < 5; i++) {
        (void)call(HEADERS("x-status", "14"));
    }
    cr_expect_eq(backend_count(&servers[0], "calls"), 10);
    cr_expect_eq(backend_count(&servers[1], "calls"), 10);
    finish();
}

Test(grpc_retry, ends_with_the_last_attempt)
{
    outcome found;

    begin(2, QUICK);
    found = call(HEADERS("x-status", "14", "x-echo-message", "no, really"));
    cr_expect_eq(found.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(found.n_attempts, 4);
    cr_expect_str_eq(found.message, "no, really");
    cr_expect_eq(stats_of(channel).retries, 3);
    cr_expect_eq(stats_of(channel).retries_exhausted, 1);
    finish();
}

Test(grpc_retry, leaves_other_statuses_alone)
{
    outcome found;

    begin(2, QUICK);
    found = call(HEADERS("x-status", "13"));
    cr_expect_eq(found.status, GRPC_STATUS_INTERNAL);
    cr_expect_eq(found.n_attempts, 1);
    cr_expect_eq(stats_of(channel).retries, 0);
    finish();
}

Test(grpc_retry, leaves_a_call_alone_that_does_not_want_it)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = MUSTER_CALL_NO_RETRY};
    static const char *const failing[] = {"--error-rate", "1", NULL};
    muster_call *once;

    begin_with(1, QUICK, NULL, failing);
    once = make_call(channel, &options);
    cr_assert_eq(muster_call_unary(once, NULL), MUSTER_OK);
    cr_expect_eq(result_of(once).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(once).n_attempts, 1);
    muster_call_destroy(once);
    finish();
}

Test(grpc_retry, tries_again_when_the_connection_is_lost)
{
    outcome found;

    begin(2, QUICK);
    found = call(HEADERS("x-echo-abort", "reset", "x-fail-attempts", "1"));
    cr_expect_eq(found.status, GRPC_STATUS_OK, "%s", found.message);
    cr_expect_eq(found.n_attempts, 2);
    finish();
}

static int add_fault(void *state, grpc_auth_metadata_context context,
                     grpc_credentials_plugin_metadata_cb callback,
                     void *user_data, grpc_metadata *items, size_t *ret_n,
                     grpc_status_code *ret_status, const char **ret_details)
{
    (void)state;
    (void)context;
    (void)callback;
    (void)user_data;
    memset(items, 0, sizeof *items);
    items[0].key = grpc_slice_from_static_string("x-fail-attempts");
    items[0].value = grpc_slice_from_static_string("1");
    *ret_n = 1;
    *ret_status = GRPC_STATUS_OK;
    *ret_details = NULL;
    return 1;
}

/* Each attempt is made with them, and the server still knows how many came
 * before. */
Test(grpc_retry, keeps_the_credentials_of_a_call)
{
    const grpc_metadata_credentials_plugin plugin = {.get_metadata = add_fault,
                                                     .type = "test"};
    muster_call_options options = {
        .struct_size = sizeof options,
        .credentials = grpc_metadata_credentials_create_from_plugin(
            plugin, GRPC_SECURITY_NONE, NULL)};
    muster_call *one;

    begin(1, QUICK);
    one = make_call(channel, &options);
    cr_assert_eq(muster_call_unary(one, NULL), MUSTER_OK);
    cr_expect_eq(result_of(one).status, GRPC_STATUS_OK, "%s",
                 result_of(one).message);
    cr_expect_eq(result_of(one).n_attempts, 2);
    muster_call_destroy(one);
    grpc_call_credentials_release(options.credentials);
    finish();
}

Test(grpc_retry, tells_it_over_tls_too)
{
    certificates made;

    cr_assert(certificates_make(&made));
    const certificates_path ca = certificates_find(&made, "ca");
    const certificates_path certificate = certificates_find(&made, "server");
    const certificates_path key = certificates_find(&made, "server-key");
    const char *const flags[] = {"--tls-certificate", certificate.text,
                                 "--tls-key", key.text, NULL};
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls,
                                         .ca_file = ca.text};
    const muster_grpc_options options = {.struct_size = sizeof options,
                                         .tls = &tls};

    begin_with(1, QUICK, &options, flags);
    cr_expect_eq(call(HEADERS("x-fail-attempts", "1")).status, GRPC_STATUS_OK);
    cr_expect_eq(backend_count(&servers[0], "retries"), 1);
    finish();
    certificates_remove(&made);
}

/* ---- commitment, the buffer ---- */

Test(grpc_retry, leaves_a_call_alone_that_has_headers)
{
    outcome found;

    begin(2, QUICK);
    found = call(HEADERS("x-fail-attempts", "1", "x-fail-after-headers", ""));
    cr_expect_eq(found.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(found.n_attempts, 1);
    finish();
}

Test(grpc_retry, leaves_a_call_alone_that_is_too_large)
{
    const muster_grpc_options options = {.struct_size = sizeof options,
                                         .retry_buffer_bytes = 4};
    grpc_byte_buffer *small = buffer_of("1234");
    grpc_byte_buffer *large = buffer_of("12345");
    outcome found;

    begin_with(2, QUICK, &options, NULL);
    found = call_with(large, HEADERS("x-fail-attempts", "1"));
    cr_expect_eq(found.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(found.n_attempts, 1);
    found = call_with(small, HEADERS("x-fail-attempts", "1"));
    cr_expect_eq(found.status, GRPC_STATUS_OK, "%s", found.message);
    grpc_byte_buffer_destroy(small);
    grpc_byte_buffer_destroy(large);
    finish();
}

/* ---- pushback ---- */

Test(grpc_retry, waits_as_long_as_the_server_says)
{
    outcome found;

    begin(1, SLOW);
    found = call(HEADERS("x-fail-attempts", "1",
                         "x-echo-trailer-grpc-retry-pushback-ms", "200"));
    cr_expect_eq(found.status, GRPC_STATUS_OK, "%s", found.message);
    cr_expect_geq(found.took_ns, 200 * MILLISECOND);
    cr_expect_lt(found.took_ns, limit_ns(20000));
    finish();
}

static void expect_refusal(const char *value)
{
    const outcome found =
        call(HEADERS("x-fail-attempts", "1",
                     "x-echo-trailer-grpc-retry-pushback-ms", value));

    cr_expect_eq(found.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(found.n_attempts, 1);
}

Test(grpc_retry, stops_when_the_server_says_so)
{
    begin(2, QUICK);
    expect_refusal("-1");
    expect_refusal("soon");
    cr_expect_eq(stats_of(channel).retries_refused, 2);
    finish();
}

/* ---- throttling ---- */

#define THROTTLED(ratio)                                                       \
    RETRYING("0.001s",                                                         \
             ", 'retryThrottling': {'maxTokens': 10, 'tokenRatio': " ratio     \
             "}")

Test(grpc_retry, is_throttled_by_failures)
{
    begin(2, THROTTLED("0.1"));
    for (int i = 0; i < 10; i++) {
        (void)call(HEADERS("x-status", "14"));
    }
    /* The first call has four attempts; the next one's leaves half of the
     * tokens. */
    cr_expect_eq(stats_of(channel).retries, 3);
    cr_expect_eq(count_all(2, "calls"), 13);
    cr_expect_gt(stats_of(channel).retries_throttled, 0);
    finish();
}

Test(grpc_retry, is_let_go_on_by_successes)
{
    begin(1, THROTTLED("1"));
    for (int i = 0; i < 20; i++) {
        (void)call(HEADERS("x-status", "14"));
    }
    cr_expect_eq(call(HEADERS("x-fail-attempts", "1")).n_attempts, 1);
    for (int i = 0; i < 7; i++) {
        (void)call(HEADERS("x-fail-attempts", "0"));
    }
    cr_expect_eq(call(HEADERS("x-fail-attempts", "1")).status, GRPC_STATUS_OK);
    finish();
}

Test(grpc_retry, is_throttled_by_the_failures_of_other_channels)
{
    muster_channel *other;

    begin(1, THROTTLED("0.1"));
    for (int i = 0; i < 5; i++) {
        (void)call(HEADERS("x-status", "14"));
    }
    other = channel;
    channel = open_retrying(servers, 1, THROTTLED("0.1"), NULL);
    cr_expect_eq(call(HEADERS("x-fail-attempts", "1")).n_attempts, 1);
    muster_channel_destroy(other);
    finish();
}

Test(grpc_retry, is_not_throttled_by_other_statuses)
{
    begin(1, THROTTLED("0.1"));
    for (int i = 0; i < 20; i++) {
        (void)call(HEADERS("x-status", "3"));
    }
    cr_expect_eq(call(HEADERS("x-fail-attempts", "1")).status, GRPC_STATUS_OK);
    finish();
}

/* ---- no endpoint ---- */

Test(grpc_retry, picks_again_when_there_is_no_endpoint)
{
    outcome found;

    begin(1, RETRYING("0.05s", ""));
    backend_kill(&servers[0]);
    while (stats_of(channel).state != MUSTER_TRANSIENT_FAILURE) {
        /* It reconnects, in vain. */
    }
    found = call(HEADERS("x-fail-attempts", "0"));
    cr_expect_eq(found.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(found.n_attempts, 0);
    cr_expect_geq(found.took_ns, (50 + 100 + 200) * MILLISECOND * 8 / 10);
    cr_expect_eq(stats_of(channel).retries, 0);
    finish();
}
