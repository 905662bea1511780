/* SPDX-License-Identifier: Apache-2.0 */
/* Why an endpoint of a channel is picked now, or is not: the first of what
 * stands between it and a call. */
#include "reason.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "period.h"

/* What is looked at again and again. */
typedef struct subject {
    const json_t *channel;
    const json_t *endpoint;
    const char *channel_state;
    const char *policy;
    const char *state;
    const char *failure; /* NULL: none is known */
    const char *health;  /* NULL: not watched, or not connected */
    uint64_t backoff_ms;
    json_int_t n_calls;
    json_int_t priority;
    json_int_t served; /* -1: the policy does that */
} subject;

static const char *text(const json_t *object, const char *key,
                        const char *otherwise)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value != NULL ? value : otherwise;
}

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool flag(const subject *self, const char *key)
{
    return json_is_true(json_object_get(self->endpoint, key));
}

static bool is(const char *left, const char *right)
{
    return left != NULL && strcmp(left, right) == 0;
}

static subject subject_of(const json_t *channel, const json_t *endpoint)
{
    return (subject){
        .channel = channel,
        .endpoint = endpoint,
        .channel_state = text(channel, "state", ""),
        .policy = text(channel, "policy", "the policy"),
        .state = text(endpoint, "state", ""),
        .failure = text(endpoint, "last_failure", NULL),
        .health = text(endpoint, "health", NULL),
        .backoff_ms = (uint64_t)number(endpoint, "backoff_left_ms"),
        .n_calls = number(endpoint, "in_flight"),
        .priority = number(endpoint, "priority"),
        .served = json_is_integer(json_object_get(channel, "priority"))
                      ? number(channel, "priority")
                      : -1,
    };
}

static reason picked(const char *cause, json_t *sentence)
{
    return (reason){true, cause, sentence};
}

static reason not_picked(const char *cause, json_t *sentence)
{
    return (reason){false, cause, sentence};
}

/* ---- in the view of picks ---- */

static reason unfit_in_view(const subject *self)
{
    return picked("panic",
                  json_sprintf("picked although %s: %s finds that too few are "
                               "left",
                               flag(self, "ejected")
                                   ? "the policy has ejected it"
                                   : "its health check says NOT_SERVING",
                               self->policy));
}

static reason held_in_view(const subject *self)
{
    return picked("held", json_sprintf("picked although %s: nothing else is "
                                       "READY yet",
                                       flag(self, "listed")
                                           ? "another priority is preferred"
                                           : "it is no longer listed"));
}

static reason in_view(const subject *self)
{
    if (!is(self->channel_state, "READY")) {
        return not_picked("channel",
                          json_sprintf("it is READY, but the channel is %s: %s",
                                       self->channel_state,
                                       text(self->channel, "reason", "")));
    }
    if (flag(self, "held")) {
        return held_in_view(self);
    }
    if (flag(self, "ejected") || is(self->health, "not_serving")) {
        return unfit_in_view(self);
    }
    return picked(
        "picked",
        json_sprintf("READY%s; calls in flight: %" JSON_INTEGER_FORMAT,
                     is(self->health, "serving")
                         ? ", and its health check says SERVING"
                         : "",
                     self->n_calls));
}

/* ---- connected, but not in the view ---- */

static reason ready(const subject *self)
{
    if (flag(self, "ejected")) {
        return not_picked("ejected",
                          json_sprintf("%s has ejected it: too many of its "
                                       "calls failed",
                                       self->policy));
    }
    if (self->served >= 0 && self->priority != self->served) {
        return not_picked(
            "priority",
            json_sprintf(
                "READY, but priority %" JSON_INTEGER_FORMAT
                " is in use, and this is priority %" JSON_INTEGER_FORMAT,
                self->served, self->priority));
    }
    return not_picked("pending",
                      json_string("READY, and about to be published"));
}

static reason connecting(const subject *self)
{
    if (is(self->health, "unknown")) {
        return not_picked("health",
                          json_string("connected; the first answer of its "
                                      "health check is awaited"));
    }
    if (self->failure != NULL) {
        return not_picked("connecting",
                          json_sprintf("being connected again; before it "
                                       "failed: %s",
                                       self->failure));
    }
    return not_picked("connecting", json_string("being connected"));
}

/* ---- not connected ---- */

static reason failed(const subject *self)
{
    const char *why = self->failure != NULL ? self->failure : "it failed";

    if (self->backoff_ms > 0) {
        return not_picked("backoff",
                          json_sprintf("%s; the next attempt comes in %s", why,
                                       period_of_ms(self->backoff_ms).text));
    }
    if (flag(self, "queued")) {
        return not_picked(
            "queued",
            json_sprintf("%s; it waits for its turn to connect", why));
    }
    return not_picked("failed", json_string(why));
}

/* Policies that use only some say so in their own words. */
static const char *why_unwanted(const char *policy)
{
    static const struct {
        const char *part; /* of the policy's name: there are variants */
        const char *why;
    } all[] = {
        {"pick_first", "pick_first uses another one"},
        {"priority", "priority has a better child that serves"},
        {"ring_hash", "ring_hash connects it when a call falls to it"},
        {"subsetting", "it is not in the subset that this client uses"},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strstr(policy, all[i].part) != NULL) {
            return all[i].why;
        }
    }
    return NULL;
}

static reason unwanted(const subject *self)
{
    const char *why = why_unwanted(self->policy);

    return not_picked("unwanted", why != NULL
                                      ? json_string(why)
                                      : json_sprintf("%s has not asked for it",
                                                     self->policy));
}

static reason idle(const subject *self)
{
    if (flag(self, "queued")) {
        return not_picked("queued",
                          json_string("it waits for its turn to connect"));
    }
    if (self->served >= 0 && self->priority > self->served) {
        return not_picked(
            "priority",
            json_sprintf(
                "not connected: priority %" JSON_INTEGER_FORMAT
                " is in use, and this is priority %" JSON_INTEGER_FORMAT,
                self->served, self->priority));
    }
    if (!flag(self, "wanted")) {
        return unwanted(self);
    }
    return not_picked("idle", json_string("not connected yet"));
}

/* ---- all ---- */

static reason draining(const subject *self)
{
    return not_picked("draining",
                      json_sprintf("no longer listed; calls in flight, which "
                                   "may end: %" JSON_INTEGER_FORMAT,
                                   self->n_calls));
}

reason reason_of(const json_t *channel, const json_t *endpoint)
{
    const subject self = subject_of(channel, endpoint);

    if (flag(&self, "in_view")) {
        return in_view(&self);
    }
    if (!flag(&self, "listed")) {
        return draining(&self);
    }
    if (is(self.health, "not_serving")) {
        return not_picked("unhealthy",
                          json_string("connected, but its health check says "
                                      "NOT_SERVING"));
    }
    if (is(self.state, "READY")) {
        return ready(&self);
    }
    if (is(self.state, "CONNECTING")) {
        return connecting(&self);
    }
    if (is(self.state, "TRANSIENT_FAILURE") || self.backoff_ms > 0) {
        return failed(&self);
    }
    return idle(&self);
}
