/* SPDX-License-Identifier: Apache-2.0 */
/* The options of every verb that makes calls. */
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <status_code_name.h>

#include "../duration.h"
#include "../file.h"
#include "message.h"

/* Beyond those that a verb has of its own. */
enum {
    OPTION_HEADER = 1024,
    OPTION_HEX,
    OPTION_WAIT,
    OPTION_HASH_KEY,
    OPTION_CONFIG
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
    {"policy", 'p', "NAME[={...}]", 0,
     "Balance by the policy NAME, with these settings", 0},
    {"service-config", OPTION_CONFIG, "FILE", 0, "gRPC's JSON", 0},
    {"hash-key", OPTION_HASH_KEY, "TEXT", 0, "For policies that hash", 0},
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

static void set_policy(request *self, const char *text,
                       struct argp_state *state)
{
    const char *equals = strchr(text, '=');

    free(self->policy_name);
    self->policy_name = NULL;
    self->policy = text;
    self->policy_settings = NULL;
    if (equals == NULL) {
        return;
    }
    self->policy_name = strndup(text, (size_t)(equals - text));
    if (self->policy_name == NULL) {
        argp_failure(state, EXIT_CODE_FAILURE, 0, "out of memory");
    }
    self->policy = self->policy_name;
    self->policy_settings = equals + 1;
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
        state->child_inputs[0] = &self->tls;
        return 0;
    case 'p':
        set_policy(self, text, state);
        return 0;
    case 't':
        if (!duration_parse(text, &self->timeout_ms)) {
            argp_error(state, "no time \"%s\": say 5s, 250ms or 1m", text);
        }
        return 0;
    case OPTION_CONFIG:
        self->config = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&tls_argp, 0, NULL, 0}, {0}};

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
    free(self->policy_name);
}

/* ---- the channel ---- */

muster_status request_create(const request *self, const char *target,
                             const char *config, muster_channel **ret_channel,
                             muster_error *err)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .policy = self->policy,
                                            .policy_config_json =
                                                self->policy_settings,
                                            .authority = self->tls.authority,
                                            .service_config = config};
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls,
                                         .ca_file = self->tls.ca_file,
                                         .certificate_file =
                                             self->tls.certificate_file,
                                         .key_file = self->tls.key_file};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options,
        .tls = self->tls.is_used ? &tls : NULL};

    return muster_grpc_channel_create(target, &options, &grpc_options,
                                      ret_channel, err);
}

exit_code request_open(const request *self, const char *target,
                       muster_channel **ret_channel)
{
    char *config = NULL;
    size_t size = 0;
    muster_error err;
    muster_status status;
    const exit_code code = tls_check_files(&self->tls);

    if (code != EXIT_CODE_OK) {
        return code;
    }
    if (self->config != NULL) {
        config = file_read(self->config, &size);
        if (config == NULL) {
            return command_fail(EXIT_CODE_SOURCE, self->config,
                                strerror(errno));
        }
    }
    status = request_create(self, target, config, ret_channel, &err);
    free(config);
    return status == MUSTER_OK ? EXIT_CODE_OK
                               : command_fail_create(status, target, &err);
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
