/* SPDX-License-Identifier: Apache-2.0 */
/* Says what went wrong, and what to look at. */
#include "failure.h"

#include <stdio.h>
#include <string.h>

#include <text.h>

#include "agent.h"

#define LIMIT_HINT                                                             \
    "it may be at its limit for one client "                                   \
    "(limits.http_max_conns_per_client, 200): see max_connections"

/* What the agent said, shown; but not when the token is in it. */
static muster__quoted quote_text(const muster__consul_request *request,
                                 const char *text, size_t length)
{
    if (request->token != NULL &&
        memmem(text, length, request->token, strlen(request->token)) != NULL) {
        return muster__quote("(the token)");
    }
    return muster__quote_n(text, length);
}

static muster__quoted quote_body(const muster__consul_request *request)
{
    const muster__consul_reply *reply = &request->reply;
    size_t length = reply->size;

    while (length > 0 && reply->body[length - 1] == '\n') {
        length--;
    }
    return quote_text(request, reply->body != NULL ? reply->body : "", length);
}

/* The place that a redirect leads to, without its query: what a proxy adds
 * there may be a secret. */
static muster__quoted quote_location(const muster__consul_request *request)
{
    const char *location = request->reply.location;

    return quote_text(request, location, strcspn(location, "?#"));
}

static bool says(const muster__consul_request *request, const char *text)
{
    const muster__consul_reply *reply = &request->reply;

    return reply->body != NULL &&
           memmem(reply->body, reply->size, text, strlen(text)) != NULL;
}

/* ---- no answer ---- */

static muster_status no_answer(const muster__consul_request *request,
                               const char *agent, muster_error *err)
{
    const muster__consul_reply *reply = &request->reply;
    muster__quoted reason = muster__quote(reply->reason);

    switch (reply->trouble) {
    case MUSTER__CONSUL_REFUSED:
        return muster_error_set(err, MUSTER_REFUSED,
                                "consul %s: cannot connect: nothing listens "
                                "there, or nothing leads there",
                                agent);
    case MUSTER__CONSUL_RESET:
        return muster_error_set(
            err, MUSTER_REFUSED,
            "consul %s: the agent closed the connection "
            "without an answer; when it does so again, " LIMIT_HINT,
            agent);
    case MUSTER__CONSUL_TIMEOUT:
        return muster_error_set(err, MUSTER_TIMEOUT,
                                "consul %s: no answer in time", agent);
    case MUSTER__CONSUL_TLS:
        /* Of libcurl's own words, which name files and hosts in full. */
        return muster_error_set(
            err, MUSTER_PERMISSION, "consul %s: TLS: %s", agent,
            muster__is_clean_text(reply->reason, strlen(reply->reason))
                ? reply->reason
                : reason.text);
    case MUSTER__CONSUL_TOO_BIG:
        return muster_error_set(err, MUSTER_EXHAUSTED,
                                "consul %s: the answer is larger than %d MiB",
                                agent, MUSTER__CONSUL_BODY_MAX / 1024 / 1024);
    case MUSTER__CONSUL_NO_NAME:
        return muster_error_set(err, MUSTER_UNAVAILABLE,
                                "consul %s: the agent's name has no address: "
                                "%s",
                                agent, reply->reason);
    case MUSTER__CONSUL_LOCAL:
        return muster_error_set(err, MUSTER_NOMEM, "consul %s: out of memory",
                                agent);
    default:
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "consul %s: the answer is broken: %s", agent,
                                reason.text);
    }
}

/* ---- an answer that is a refusal ---- */

static muster_status no_permission(const muster__consul_request *request,
                                   const char *agent, muster_error *err)
{
    long status = request->reply.status;

    if (request->token == NULL) {
        return muster_error_set(err, MUSTER_PERMISSION,
                                "consul %s: %ld %s: there is no ACL token; "
                                "see token_file and CONSUL_HTTP_TOKEN",
                                agent, status, quote_body(request).text);
    }
    if (says(request, "ACL not found")) {
        return muster_error_set(err, MUSTER_PERMISSION,
                                "consul %s: %ld %s: Consul does not know the "
                                "ACL token that it is sent",
                                agent, status, quote_body(request).text);
    }
    return muster_error_set(err, MUSTER_PERMISSION,
                            "consul %s: %ld %s: the ACL token needs "
                            "service:read and node:read",
                            agent, status, quote_body(request).text);
}

/* Consul says much with a 500. */
static muster_status server_error(const muster__consul_request *request,
                                  const char *agent, muster_error *err)
{
    static const struct {
        const char *text;
        muster_status status;
        const char *hint;
    } known[] = {
        {"No cluster leader", MUSTER_UNAVAILABLE,
         ": its servers have no leader now"},
        {"No path to datacenter", MUSTER_NOTFOUND, ": see the option dc"},
        {"filter", MUSTER_INVAL, ": see the option filter"},
        {"expression", MUSTER_INVAL, ": see the option filter"},
    };
    muster__quoted body = quote_body(request);

    if (says(request, "ACL not found") || says(request, "Permission denied")) {
        return no_permission(request, agent, err);
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (says(request, known[i].text)) {
            return muster_error_set(err, known[i].status, "consul %s: %ld %s%s",
                                    agent, request->reply.status, body.text,
                                    known[i].hint);
        }
    }
    return muster_error_set(err, MUSTER_UNAVAILABLE, "consul %s: %ld %s", agent,
                            request->reply.status, body.text);
}

static muster_status refusal(const muster__consul_request *request,
                             const char *agent, muster_error *err)
{
    long status = request->reply.status;

    if (status >= 300 && status < 400) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "consul %s: %ld leads to %s; redirects are "
                                "not followed: name that address",
                                agent, status, quote_location(request).text);
    }
    switch (status) {
    case 400:
        return muster_error_set(err, MUSTER_INVAL,
                                "consul %s: 400 %s: the agent does not take "
                                "the options of the target",
                                agent, quote_body(request).text);
    case 401:
    case 403:
        return no_permission(request, agent, err);
    case 404:
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "consul %s: 404: is that a Consul agent, and "
                                "its path right?",
                                agent);
    case 429:
        return muster_error_set(
            err, MUSTER_EXHAUSTED,
            "consul %s: 429: too many requests; " LIMIT_HINT, agent);
    default:
        return server_error(request, agent, err);
    }
}

muster_status muster__consul_failure(const muster__consul_request *request,
                                     muster_error *err)
{
    const char *agent = request->agent->text;

    return request->reply.trouble != MUSTER__CONSUL_NO_TROUBLE
               ? no_answer(request, agent, err)
               : refusal(request, agent, err);
}
