/* SPDX-License-Identifier: Apache-2.0 */
/* The options of every verb that makes calls. */
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <status_code_name.h>

#include "../duration.h"
#include "message.h"
#include "repeating.h"

/* Beyond those that a verb has of its own. */
enum {
    OPTION_HEADER = 1024,
    OPTION_HEX,
    OPTION_WAIT,
    OPTION_HASH_KEY,
    OPTION_RETRY,
    OPTION_HEDGE
};

static const struct argp_option entries[] = {
    {"data", 'd', "TEXT", 0, "Send TEXT; @FILE: what is in it; @-: stdin", 0},
    {"hex", OPTION_HEX, "DIGITS", 0, "Send bytes given as hexadecimal", 0},
    {"header", OPTION_HEADER, "KEY: VALUE", 0,
     "Send a header; of a key in -bin the VALUE is base64", 0},
    {"max-time", 't', "TIME", 0, "A call's deadline (default 5s)", 0},
    {"timeout", 0, NULL, OPTION_ALIAS, NULL, 0},
    {"wait-for-ready", OPTION_WAIT, NULL, 0,
     "Wait for an endpoint as long as the deadline allows", 0},
    {"hash-key", OPTION_HASH_KEY, "TEXT", 0, "For policies that hash", 0},
    {"retry", OPTION_RETRY, "N", 0,
     "Try a call up to N times (2 to 5) while it ends UNAVAILABLE", 0},
    {"hedge", OPTION_HEDGE, "TIME", 0,
     "Try a call on a second endpoint, too, when it has no answer after TIME, "
     "or a percentile of latency like p95",
     0},
    {0},
};

/* ---- the command line ---- */

static void read_message(request *self, int key, const char *text,
                         struct argp_state *state)
{
    grpc_byte_buffer *message =
        key == 'd' ? message_of_data(text) : message_of_hex(text);

    if (message == NULL && key == 'd') {
        argp_failure(state, EXIT_CODE_SOURCE, errno, "%s", text + 1);
    } else if (message == NULL) {
        argp_error(state, "%s: must be pairs of hexadecimal digits", text);
    } else if (!message_list_add(&self->messages, message)) {
        argp_failure(state, EXIT_CODE_FAILURE, 0, "out of memory");
    }
}

static void add_header(request *self, const char *text,
                       struct argp_state *state)
{
    grpc_metadata *header = &self->headers[self->call.n_metadata];

    if (self->call.n_metadata == REQUEST_MAX_HEADERS) {
        argp_error(state, "over %d headers", (int)REQUEST_MAX_HEADERS);
    } else if (!message_header(text, header)) {
        argp_error(state, "no header \"%s\": say \"key: value\"", text);
    } else {
        self->call.n_metadata++;
    }
}

/* They stand for a service config, so there is one of them. */
static void set_config(request *self, char *config, const char *problem,
                       struct argp_state *state)
{
    if (config == NULL) {
        argp_error(state, "%s", problem);
    } else if (self->how.config_text != NULL || self->how.config != NULL) {
        free(config);
        argp_error(state, "one of --retry, --hedge and --service-config");
    } else {
        self->how.config_text = config;
    }
}

/* False: it is none of what is sent. */
static bool read_call(request *self, int key, const char *text,
                      struct argp_state *state)
{
    switch (key) {
    case 'd':
    case OPTION_HEX:
        read_message(self, key, text, state);
        return true;
    case OPTION_HEADER:
        add_header(self, text, state);
        return true;
    case OPTION_WAIT:
        self->call.flags |= MUSTER_CALL_WAIT_FOR_READY;
        return true;
    case OPTION_RETRY:
        set_config(self, repeating_retry(text),
                   "--retry: say how many attempts, 2 to 5", state);
        return true;
    case OPTION_HEDGE:
        set_config(self, repeating_hedge(text),
                   "--hedge: say a time like 20ms, or p50 to p99.99", state);
        return true;
    case OPTION_HASH_KEY:
        self->call.hash_key = text;
        return true;
    default:
        return false;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    request *self = state->input;

    if (read_call(self, key, text, state)) {
        return 0;
    }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->how;
        return 0;
    case 't':
        if (!duration_parse(text, &self->timeout_ms)) {
            argp_error(state, "no time \"%s\": say 5s, 250ms or 1m", text);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&connecting_argp, 0, NULL, 0},
                                             {0}};

const struct argp request_argp = {
    .options = entries, .parser = parse, .children = children};

void request_init(request *self)
{
    memset(self, 0, sizeof *self);
    self->timeout_ms = 5000;
    self->call.struct_size = (uint32_t)sizeof self->call;
    self->call.metadata = self->headers;
    grpc_init();
}

void request_release(request *self)
{
    message_list_fini(&self->messages);
    for (size_t i = 0; i < self->call.n_metadata; i++) {
        grpc_slice_unref(self->headers[i].key);
        grpc_slice_unref(self->headers[i].value);
    }
    connecting_release(&self->how);
}

/* ---- calls ---- */

uint64_t request_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t request_deadline_ns(const request *self, uint64_t now_ns)
{
    return now_ns + self->timeout_ms * UINT64_C(1000000);
}

/* What does not come from the server names the target already: "TARGET: ..." or
 * "target TARGET: ...". A server need not say anything. */
const char *request_reason(const char *target, const muster_call_result *result)
{
    static const char prefix[] = "target ";
    const size_t n = strlen(target);
    const char *message = result->message;
    const char *at = message;

    if (strncmp(at, prefix, sizeof prefix - 1) == 0) {
        at += sizeof prefix - 1;
    }
    if (strncmp(at, target, n) == 0 && strncmp(at + n, ": ", 2) == 0) {
        message = at + n + 2;
    }
    return message[0] != '\0' ? message
                              : muster__status_code_name((int)result->status);
}
