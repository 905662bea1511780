/* SPDX-License-Identifier: Apache-2.0 */
/* Why muster explain says that an endpoint is picked, or is not; and what it
 * says of a channel. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "../../tools/admin/period.h"
#include "../../tools/admin/reason.h"
#include "../../tools/admin/summary.h"

/* With "'" for quotes. */
static json_t *json_of(const char *text)
{
    char copy[1024];
    json_t *json;

    cr_assert_lt(strlen(text), sizeof copy);
    strcpy(copy, text);
    for (char *at = copy; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    json = json_loads(copy, 0, NULL);
    cr_assert_not_null(json, "%s", text);
    return json;
}

static void expect(const char *channel, const char *endpoint, bool is_picked,
                   const char *cause, const char *part)
{
    json_t *channel_json = json_of(channel);
    json_t *endpoint_json = json_of(endpoint);
    const reason why = reason_of(channel_json, endpoint_json);

    cr_expect_eq(why.is_picked, is_picked, "%s", endpoint);
    cr_expect_str_eq(why.cause, cause, "%s", endpoint);
    cr_expect_not_null(strstr(json_string_value(why.sentence), part), "%s",
                       json_string_value(why.sentence));
    json_decref(why.sentence);
    json_decref(endpoint_json);
    json_decref(channel_json);
}

static const char ready[] =
    "{'state': 'READY', 'policy': 'round_robin', 'priority': 1}";

Test(explain, tells_who_is_picked)
{
    expect(ready,
           "{'state': 'READY', 'listed': true, 'in_view': true, "
           "'in_flight': 3, 'health': 'serving'}",
           true, "picked", "SERVING; calls in flight: 3");
    expect(ready, "{'state': 'READY', 'in_view': true, 'held': true}", true,
           "held", "no longer listed");
    expect(ready,
           "{'state': 'READY', 'listed': true, 'in_view': true, 'held': true}",
           true, "held", "another priority");
    expect(ready,
           "{'state': 'READY', 'listed': true, 'in_view': true, "
           "'ejected': true}",
           true, "panic", "ejected");
    expect(ready,
           "{'state': 'TRANSIENT_FAILURE', 'listed': true, 'in_view': "
           "true, 'health': 'not_serving'}",
           true, "panic", "NOT_SERVING");
}

Test(explain, tells_why_a_connected_one_is_not_picked)
{
    expect("{'state': 'TRANSIENT_FAILURE', 'reason': 'bad config'}",
           "{'state': 'READY', 'listed': true, 'in_view': true}", false,
           "channel", "TRANSIENT_FAILURE: bad config");
    expect(ready,
           "{'state': 'READY', 'listed': true, 'ejected': true, 'priority': 1}",
           false, "ejected", "round_robin has ejected it");
    expect(ready, "{'state': 'READY', 'listed': true, 'priority': 2}", false,
           "priority", "priority 1 is in use, and this is priority 2");
    expect(ready, "{'state': 'READY', 'listed': true, 'priority': 1}", false,
           "pending", "about to be published");
    expect(ready,
           "{'state': 'TRANSIENT_FAILURE', 'listed': true, 'health': "
           "'not_serving'}",
           false, "unhealthy", "NOT_SERVING");
    expect(ready,
           "{'state': 'CONNECTING', 'listed': true, 'health': 'unknown'}",
           false, "health", "first answer");
    expect(ready, "{'state': 'SHUTDOWN', 'in_flight': 2}", false, "draining",
           "2");
}

Test(explain, tells_why_one_is_not_connected)
{
    expect(ready, "{'state': 'CONNECTING', 'listed': true}", false,
           "connecting", "being connected");
    expect(ready,
           "{'state': 'CONNECTING', 'listed': true, 'last_failure': 'no'}",
           false, "connecting", "before it failed: no");
    expect(ready,
           "{'state': 'TRANSIENT_FAILURE', 'listed': true, "
           "'last_failure': 'no', 'backoff_left_ms': 1500}",
           false, "backoff", "no; the next attempt comes in 1.5s");
    expect(ready,
           "{'state': 'TRANSIENT_FAILURE', 'listed': true, 'queued': "
           "true, 'last_failure': 'no'}",
           false, "queued", "no; it waits for its turn");
    expect(ready, "{'state': 'TRANSIENT_FAILURE', 'listed': true}", false,
           "failed", "it failed");
    expect(ready, "{'state': 'IDLE', 'listed': true, 'queued': true}", false,
           "queued", "waits for its turn");
    expect(ready,
           "{'state': 'IDLE', 'listed': true, 'priority': 2, 'wanted': true}",
           false, "priority", "not connected: priority 1");
    expect(ready,
           "{'state': 'IDLE', 'listed': true, 'priority': 1, 'wanted': true}",
           false, "idle", "not connected yet");
    expect(ready, "{'state': 'IDLE', 'listed': true, 'priority': 1}", false,
           "unwanted", "round_robin has not asked for it");
    expect("{'state': 'READY', 'policy': 'balanced_subsetting'}",
           "{'state': 'IDLE', 'listed': true}", false, "unwanted", "subset");
}

Test(explain, takes_whatever_it_is_given)
{
    expect("{}", "{}", false, "draining", "no longer listed");
    expect("{'state': 1, 'policy': [], 'priority': 'x'}",
           "{'state': {}, 'listed': true, 'in_flight': 'many'}", false,
           "unwanted", "the policy");
    expect("{}", "{'in_view': true}", false, "channel", "the channel is ");
}

static void expect_headline(const char *channel, const char *wanted)
{
    json_t *json = json_of(channel);
    json_t *headline = summary_headline(json, &(tally){3, 2});

    cr_expect_str_eq(json_string_value(headline), wanted);
    json_decref(headline);
    json_decref(json);
}

Test(explain, begins_with_the_channels_state)
{
    expect_headline("{'state': 'READY', 'policy': 'random'}",
                    "READY: random picks from 2 of 3 endpoints");
    expect_headline("{'state': 'CONNECTING', 'list': {'generation': 0}}",
                    "CONNECTING: the source has not answered yet");
    expect_headline("{'state': 'CONNECTING', 'list': {'generation': 1}}",
                    "CONNECTING: none of 3 endpoints is READY yet");
    expect_headline("{'state': 'TRANSIENT_FAILURE', 'reason': 'refused'}",
                    "TRANSIENT_FAILURE: refused");
    expect_headline("{'state': 'IDLE'}", "IDLE: nobody has used it for long; "
                                         "the next call wakes it up");
    expect_headline("{'state': 'SHUTDOWN'}", "SHUTDOWN: no reason");
}

static void expect_note(const char *channel, const char *wanted)
{
    json_t *json = json_of(channel);
    json_t *notes = summary_notes(json);
    char *text = json_dumps(notes, 0);

    cr_expect_not_null(strstr(text, wanted), "%s", text);
    free(text);
    json_decref(notes);
    json_decref(json);
}

Test(explain, goes_on_with_list_policy_and_config)
{
    expect_note("{}", "There is no list of endpoints\"");
    expect_note("{'list': {'generation': 0}}", "no list of endpoints yet");
    expect_note("{'list': {'generation': 0, 'failure': 'down'}}",
                "no list of endpoints: down");
    expect_note("{'list': {'generation': 2, 'age_ms': 61000}}",
                "fresh, confirmed 1m01s ago");
    expect_note("{'list': {'generation': 2, 'age_ms': 1, 'stale': true, "
                "'failure': 'down'}}",
                "stale, confirmed 1ms ago: down");
    expect_note("{'list': {'generation': 2, 'age_ms': 1, 'held': true}}",
                "is held");
    expect_note("{'policy': 'a', 'policy_config': {'n': 1}, 'former_policy': "
                "'b'}",
                "The policy is a {\\\"n\\\":1}; until it can serve: b");
    expect_note("{'priority': 1, 'endpoints': [{'priority': 0}, {'priority': "
                "1}]}",
                "Priority 1 is in use");
    expect_note("{'endpoints': [{'priority': 0}, {'priority': 1}]}",
                "left to the policy");
    expect_note("{'service_config': {'refusal': 'line 1', 'source': null}}",
                "refused: line 1; none is in force");
    expect_note("{'service_config': {'refusal': 'line 1', 'source': "
                "'resolver'}}",
                "the last valid one of the resolver");
    expect_note("{'counters': [{'name': 'n', 'labels': {'zone': 'a'}, "
                "'value': 3}, {'name': 'm', 'labels': {}, 'value': 1}]}",
                "has counted n{zone=a} 3, m 1");
}

Test(explain, says_periods_as_people_do)
{
    cr_expect_str_eq(period_of_ms(0).text, "0ms");
    cr_expect_str_eq(period_of_ms(999).text, "999ms");
    cr_expect_str_eq(period_of_ms(1000).text, "1.0s");
    cr_expect_str_eq(period_of_ms(59999).text, "59.9s");
    cr_expect_str_eq(period_of_ms(60000).text, "1m00s");
    cr_expect_str_eq(period_of_ms(3600000).text, "1h00m");
    cr_expect_str_eq(period_of_ms(90000000).text, "1d01h");
}
