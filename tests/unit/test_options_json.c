/* SPDX-License-Identifier: Apache-2.0 */
/* muster's own settings in a service config. */
#include "service_config_fixture.h"

static const muster_settings *settings(const char *object)
{
    char text[1024];

    (void)snprintf(text, sizeof text, "{'muster': %s}", object);
    accept(text);
    return muster__service_config_settings(config);
}

static void refuse_settings(const char *object, const char *said)
{
    char text[1024];

    (void)snprintf(text, sizeof text, "{'muster': %s}", object);
    refuse(text, said);
}

Test(options_json, reads_each_setting)
{
    const muster_settings *said =
        settings("{'maxConnecting': 8, 'connectionsPerEndpoint': 4, "
                 "'initialBackoff': '0.5s', "
                 "'maxBackoff': '60s', 'backoffJitterPercent': 10, "
                 "'connectTimeout': '5s', 'idleTimeout': '1800s', "
                 "'keepaliveTime': '30s', 'keepaliveTimeout': '10s', "
                 "'keepalivePermitWithoutCalls': true, "
                 "'maxPingsWithoutData': 4, "
                 "'maxSendMessageBytes': 1000, "
                 "'maxReceiveMessageBytes': '5000000000', "
                 "'userAgentPrefix': 'shop/1.2', "
                 "'userAgentSuffix': 'x', 'compression': 'gzip'}");

    cr_expect_eq(said->max_connecting, 8);
    cr_expect_eq(said->connections_per_endpoint, 4);
    cr_expect_eq(said->initial_backoff_ms, 500);
    cr_expect_eq(said->max_backoff_ms, 60000);
    cr_expect_eq(said->backoff_jitter_percent, 10);
    cr_expect_eq(said->connect_timeout_ms, 5000);
    cr_expect_eq(said->idle_timeout_ms, 1800000);
    cr_expect_eq(said->keepalive_time_ms, 30000);
    cr_expect_eq(said->keepalive_timeout_ms, 10000);
    cr_expect_eq(said->keepalive_permit_without_calls, 1);
    cr_expect_eq(said->max_pings_without_data, 4);
    cr_expect_eq(said->max_send_message_bytes, 1000);
    cr_expect_eq(said->max_receive_message_bytes, UINT64_C(5000000000));
    cr_expect_str_eq(said->user_agent_prefix, "shop/1.2");
    cr_expect_str_eq(said->user_agent_suffix, "x");
    cr_expect_eq(said->compression, 2);
}

Test(options_json, what_says_nothing_is_left_open)
{
    const muster_settings *said =
        settings("{'maxConnecting': null, 'idleTimeout': '0s', "
                 "'userAgentPrefix': '', 'compression': 'none'}");

    cr_expect_eq(said->max_connecting, 0);
    cr_expect_eq(said->idle_timeout_ms, 0);
    cr_expect_null(said->user_agent_prefix);
    cr_expect_eq(said->compression, 0);
    (void)settings("{}");
    (void)settings("null");
}

/* 0 would be the default. */
Test(options_json, rounds_times_up)
{
    cr_expect_eq(settings("{'idleTimeout': '0.000000001s'}")->idle_timeout_ms,
                 1);
}

Test(options_json, names_what_is_wrong)
{
    refuse_settings("{'idleTimeout': 30}",
                    "muster.idleTimeout: must be a duration like \"1.5s\"");
    refuse_settings("{'idleTimeout': '-1s'}", "muster.idleTimeout: must be");
    refuse_settings("{'maxConnecting': -1}",
                    "muster.maxConnecting: must be a whole number from 0");
    refuse_settings("{'backoffJitterPercent': 101}",
                    "muster.backoffJitterPercent: must be a whole number "
                    "from 0 to 100");
    refuse_settings("{'connectionsPerEndpoint': 65}",
                    "muster.connectionsPerEndpoint: must be a whole number "
                    "from 0 to 64");
    refuse_settings("{'keepalivePermitWithoutCalls': 1}",
                    "muster.keepalivePermitWithoutCalls: must be true or");
    refuse_settings("{'userAgentPrefix': 1}",
                    "muster.userAgentPrefix: must be a string");
    refuse_settings("{'compression': 'zstd'}",
                    "muster.compression: must be \"none\", \"deflate\" or "
                    "\"gzip\"");
}

Test(options_json, lists_the_known_keys_for_an_unknown_one)
{
    refuse_settings("{'keepaliveTimeMs': 30000}",
                    "muster.keepaliveTimeMs: is no setting of muster's, "
                    "which are maxConnecting, "
                    "connectionsPerEndpoint, initialBackoff, ");
}

/* ---- for programs ---- */

Test(options_json, are_had_without_a_channel)
{
    static const char text[] =
        "{\"methodConfig\": 1, \"muster\": {\"keepaliveTime\": \"30s\", "
        "\"userAgentSuffix\": \"x\"}}";
    muster_settings said = {.struct_size = sizeof said};

    cr_assert_eq(
        muster_service_config_get_settings(text, sizeof text - 1, &said, &err),
        MUSTER_OK, "%s", err.message);
    cr_expect_eq(said.keepalive_time_ms, 30000);
    cr_expect_null(said.user_agent_prefix);
    cr_expect_str_eq(said.user_agent_suffix, "x");
    free(said.user_agent_suffix);
}

Test(options_json, fill_no_more_than_the_callers_struct)
{
    static const char text[] = "{\"muster\": {\"maxConnecting\": 7, "
                               "\"backoffJitterPercent\": 1, "
                               "\"userAgentSuffix\": \"x\"}}";
    muster_settings said = {.struct_size = 8, .backoff_jitter_percent = 99};

    cr_assert_eq(
        muster_service_config_get_settings(text, sizeof text - 1, &said, &err),
        MUSTER_OK);
    cr_expect_eq(said.struct_size, 8);
    cr_expect_eq(said.max_connecting, 7);
    cr_expect_eq(said.backoff_jitter_percent, 99);
}

Test(options_json, are_left_untouched_when_wrong)
{
    static const char text[] = "{\"muster\": {\"maxConnecting\": 7, "
                               "\"userAgentSuffix\": \"x\", \"a\": 1}}";
    muster_settings said = {.struct_size = sizeof said};

    cr_expect_eq(
        muster_service_config_get_settings(text, sizeof text - 1, &said, &err),
        MUSTER_INVAL);
    cr_expect_eq(said.max_connecting, 0);
    cr_expect_eq(muster_service_config_get_settings("[", 1, &said, NULL),
                 MUSTER_INVAL);
}
