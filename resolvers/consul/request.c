/* SPDX-License-Identifier: Apache-2.0 */
/* One easy handle: what it sends, and how it takes what comes. */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "index.h"

enum {
    CONNECT_MS = 5000,
    /* An agent without a leader answers after 7.3 s (tried with 1.8.7). */
    SLACK_MS = 10000,
    KEEPALIVE_S = 15,
    BUFFER_SIZE = 8192,
    BODY_FIRST = 4096,
    URL_SIZE = 8192,
    TOKEN_SIZE = 4352,
    RETRY_AFTER_MAX_S = 600
};

/* ---- what comes ---- */

static bool make_room(muster__consul_reply *reply, size_t n)
{
    size_t needed = reply->size + n + 1;
    size_t capacity = reply->capacity > 0 ? reply->capacity : BODY_FIRST;
    char *body;

    if (needed <= reply->capacity) {
        return true;
    }
    while (capacity < needed) {
        capacity *= 2;
    }
    if (capacity > (size_t)MUSTER__CONSUL_BODY_MAX + 1) {
        capacity = (size_t)MUSTER__CONSUL_BODY_MAX + 1;
    }
    body = realloc(reply->body, capacity);
    if (body == NULL) {
        return false;
    }
    reply->body = body;
    reply->capacity = capacity;
    return true;
}

/* Of what was packed it gets the unpacked bytes, in small parts. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    muster__consul_reply *reply = arg;

    (void)size; /* is 1 */
    if (n > MUSTER__CONSUL_BODY_MAX - reply->size) {
        reply->trouble = MUSTER__CONSUL_TOO_BIG;
        return 0;
    }
    if (!make_room(reply, n)) {
        reply->trouble = MUSTER__CONSUL_LOCAL;
        return 0;
    }
    memcpy(reply->body + reply->size, data, n);
    reply->size += n;
    reply->body[reply->size] = '\0';
    return n;
}

/* The value of a header called name; cut, when it is longer than any that has a
 * meaning. */
static bool read_header(const char *line, size_t length, const char *name,
                        char *value)
{
    size_t skipped = strlen(name);

    if (length <= skipped || line[skipped] != ':' ||
        strncasecmp(line, name, skipped) != 0) {
        return false;
    }
    line += skipped + 1;
    length -= skipped + 1;
    while (length > 0 && strchr(" \t", *line) != NULL && *line != '\0') {
        line++;
        length--;
    }
    while (length > 0 && strchr(" \t\r\n", line[length - 1]) != NULL) {
        length--;
    }
    if (length >= MUSTER__CONSUL_HEADER_SIZE) {
        length = MUSTER__CONSUL_HEADER_SIZE - 1;
    }
    memcpy(value, line, length);
    value[length] = '\0';
    return true;
}

/* Seconds; the other form, a date, is not used for such short times. */
static uint64_t retry_after_ms(const char *text)
{
    uint64_t seconds = muster__consul_index_parse(text);

    return 1000 * (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S);
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    muster__consul_reply *reply = arg;
    char value[MUSTER__CONSUL_HEADER_SIZE];

    (void)size;
    if (read_header(line, n, "X-Consul-Index", value)) {
        reply->has_index = true;
        memcpy(reply->index, value, sizeof value);
    } else if (read_header(line, n, "X-Consul-KnownLeader", value)) {
        reply->has_no_leader = strcmp(value, "false") == 0;
    } else if (read_header(line, n, "X-Consul-LastContact", value)) {
        reply->last_contact_ms = strtoull(value, NULL, 10);
    } else if (read_header(line, n, "X-Consul-Results-Filtered-By-ACLs",
                           value)) {
        reply->is_filtered = strcmp(value, "true") == 0;
    } else if (read_header(line, n, "Retry-After", value)) {
        reply->retry_after_ms = retry_after_ms(value);
    } else if (read_header(line, n, "Location", value)) {
        memcpy(reply->location, value, sizeof value);
    }
    return n;
}

/* ---- how it ends ---- */

static muster__consul_trouble trouble_of(CURLcode code,
                                         const muster__consul_reply *reply)
{
    const char *reason = reply->reason;

    switch (code) {
    case CURLE_OK:
        return MUSTER__CONSUL_NO_TROUBLE;
    case CURLE_COULDNT_CONNECT:
        return MUSTER__CONSUL_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return MUSTER__CONSUL_TIMEOUT;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        /* With TLS 1.3 a refused certificate shows when reading. */
        return strstr(reason, "alert") != NULL ? MUSTER__CONSUL_TLS
                                               : MUSTER__CONSUL_RESET;
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        /* With HTTP/2, also what ends before it begins. */
        return reply->status == 0 ? MUSTER__CONSUL_RESET : MUSTER__CONSUL_TORN;
    case CURLE_SSL_CONNECT_ERROR:
        /* Reset before the TLS alert: as agents refuse too many. */
        return strstr(reason, "SSL_ERROR_SYSCALL") != NULL
                   ? MUSTER__CONSUL_RESET
                   : MUSTER__CONSUL_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return MUSTER__CONSUL_TLS;
    case CURLE_OUT_OF_MEMORY:
        return MUSTER__CONSUL_LOCAL;
    default:
        return MUSTER__CONSUL_TORN;
    }
}

void muster__consul_request_note(muster__consul_request *request, CURLcode code)
{
    muster__consul_reply *reply = &request->reply;

    (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE,
                            &reply->status);
    if (reply->trouble == MUSTER__CONSUL_NO_TROUBLE) {
        reply->trouble = trouble_of(code, reply);
    }
    if (code != CURLE_OK && *reply->reason == '\0') {
        (void)snprintf(reply->reason, sizeof reply->reason, "%s",
                       curl_easy_strerror(code));
    }
}

/* ---- what is sent ---- */

static bool add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer != NULL) {
        *list = longer;
    }
    return longer != NULL;
}

/* libcurl must never look a name up itself: it would do so in a thread, and
 * wait for that when the handle is removed. */
static bool set_addresses(muster__consul_request *request)
{
    const muster__consul_agent *agent = request->agent;
    char text[MUSTER__CONSUL_URL_SIZE + MUSTER__CONSUL_ADDRESSES_SIZE];

    if (agent->place.is_name) {
        (void)snprintf(text, sizeof text, "%s:%u:%s", agent->place.host,
                       agent->place.port, agent->addresses);
        if (!add_line(&request->addresses, text)) {
            return false;
        }
        (void)curl_easy_setopt(request->easy, CURLOPT_RESOLVE,
                               request->addresses);
    }
    if (*agent->connect_to != '\0') {
        if (!add_line(&request->connect_to, agent->connect_to)) {
            return false;
        }
        (void)curl_easy_setopt(request->easy, CURLOPT_CONNECT_TO,
                               request->connect_to);
    }
    return true;
}

static bool set_headers(muster__consul_request *request)
{
    char line[TOKEN_SIZE];
    bool is_done;

    if (request->token == NULL) {
        return true;
    }
    (void)snprintf(line, sizeof line, "X-Consul-Token: %s", request->token);
    is_done = add_line(&request->headers, line);
    explicit_bzero(line, sizeof line);
    (void)curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
    return is_done;
}

static bool set_url(const muster__consul_request *request)
{
    char url[URL_SIZE];
    char wait[32] = "";
    int length;

    if (request->granted_ms > 0) {
        (void)snprintf(wait, sizeof wait, "&wait=%llums",
                       (unsigned long long)request->granted_ms);
    }
    length = snprintf(url, sizeof url, "%s%s%s", request->agent->url,
                      request->query, wait);
    return length < (int)sizeof url &&
           curl_easy_setopt(request->easy, CURLOPT_URL, url) == CURLE_OK;
}

/* Without the empty one a proxy of the environment would be used, which would
 * see the token; it may have a name, too. */
static bool set_texts(CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ==
               CURLE_OK;
}

static void set_behaviour(const muster__consul_request *request)
{
    CURL *easy = request->easy;
    uint64_t wait_ms = request->granted_ms;

    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                           (long)(wait_ms + wait_ms / 16 + SLACK_MS));
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S / 3);
}

static void set_callbacks(muster__consul_request *request)
{
    CURL *easy = request->easy;

    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->reply.reason);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, &request->reply);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, &request->reply);
}

muster_status muster__consul_request_open(muster__consul_request *request,
                                          muster_error *err)
{
    muster_status status;

    request->easy = curl_easy_init();
    if (request->easy == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    set_behaviour(request);
    set_callbacks(request);
    status =
        set_texts(request->easy) && set_url(request) && set_headers(request) &&
                set_addresses(request)
            ? muster__consul_agent_set_up(request->agent, request->easy, err)
            : muster_error_set(err, MUSTER_NOMEM, "out of memory");
    if (status != MUSTER_OK) {
        muster__consul_request_close(request);
    }
    return status;
}

/* The token goes in a header: its copy is wiped. */
static void free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *at = headers; at != NULL; at = at->next) {
        explicit_bzero(at->data, strlen(at->data));
    }
    curl_slist_free_all(headers);
}

void muster__consul_request_close(muster__consul_request *request)
{
    curl_easy_cleanup(request->easy);
    free_headers(request->headers);
    curl_slist_free_all(request->addresses);
    curl_slist_free_all(request->connect_to);
    request->easy = NULL;
    request->headers = NULL;
    request->addresses = NULL;
    request->connect_to = NULL;
}

void muster__consul_reply_clear(muster__consul_reply *reply)
{
    free(reply->body);
    memset(reply, 0, sizeof *reply);
}
