/* SPDX-License-Identifier: Apache-2.0 */
/* muster call: calls through the library's own balancer, and whom they
 * reached. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <muster/grpc.h>
#include <muster/muster.h>

#include "../../core/grpc/health_message.h"
#include "../command.h"
#include "../duration.h"
#include "../file.h"
#include "../model.h"
#include "../options.h"
#include "failure.h"
#include "message.h"
#include "message_list.h"
#include "method.h"
#include "row.h"
#include "stream.h"
#include "tls_files.h"

enum {
    OPTION_HEADER = 256,
    OPTION_HEX,
    OPTION_HEALTH,
    OPTION_STREAM,
    OPTION_WAIT,
    OPTION_HASH_KEY,
    OPTION_CONFIG,
    OPTION_SAVE,
    OPTION_TLS,
    OPTION_CA,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_AUTHORITY
};

enum { MAX_HEADERS = 64, MAX_REPEAT = 1000000 };

typedef struct arguments {
    options options;
    const char *target;
    const char *method;
    const char *policy;
    const char *config; /* a file */
    const char *health; /* NULL: this is no health check */
    const char *save;
    uint64_t timeout_ms;
    uint64_t n_repeat;
    message_list messages;
    bool is_stream;
    grpc_metadata headers[MAX_HEADERS];
    muster_call_options call;
    muster_grpc_tls_options tls;
    bool has_tls;
    const char *authority;
} arguments;

static const char doc[] =
    "Call METHOD of the service behind TARGET, and show which endpoint "
    "answered. Messages are raw bytes: those of a Protocol Buffers message, "
    "for example, as protoc --encode writes them.\v"
    "Examples:\n"
    "  muster call --health static:///10.0.0.1:50051\n"
    "  muster call dns:///web.prod:50051 shop.Cart/Get --hex '0a 03 616263'\n"
    "  protoc --encode shop.Item cart.proto <item.txt |\n"
    "      muster call consul:///web shop.Cart/Add -d @- --save - |\n"
    "      protoc --decode shop.Cart cart.proto\n"
    "  muster call dns:///chat:50051 chat.Room/Talk --stream -d hello -d "
    "there\n"
    "  muster call file:///etc/backends echo.Echo/Unary -d hello -n 100 -o "
    "name |\n"
    "      sort | uniq -c\n"
    "\n"
    "Exit status: 0 all calls ended OK; 64 + N the first that did not ended "
    "with the gRPC status N; 1 a health check says anything but SERVING; 2 "
    "usage, or no such target; 4 no such file; 6 a plugin cannot be loaded; 1 "
    "anything else.";

static const struct argp_option entries[] = {
    {"data", 'd', "TEXT", 0, "Send TEXT; @FILE: what is in it; @-: stdin", 0},
    {"hex", OPTION_HEX, "DIGITS", 0, "Send bytes given as hexadecimal", 0},
    {"header", OPTION_HEADER, "KEY: VALUE", 0,
     "Send a header; of a key in -bin the VALUE is base64", 0},
    {"health", OPTION_HEALTH, "SERVICE", OPTION_ARG_OPTIONAL,
     "Call grpc.health.v1.Health/Check, of the whole server or SERVICE", 0},
    {"stream", OPTION_STREAM, NULL, 0,
     "Send each --data and --hex as a message of one stream, and show each "
     "message that comes",
     0},
    {"repeat", 'n', "N", 0, "Call N times, one after the other", 0},
    {"max-time", 't', "TIME", 0, "A call's deadline (default 5s)", 0},
    {"timeout", 0, NULL, OPTION_ALIAS, NULL, 0},
    {"wait-for-ready", OPTION_WAIT, NULL, 0,
     "Wait for an endpoint as long as the deadline allows", 0},
    {"policy", 'p', "NAME", 0, "Balance by the policy NAME", 0},
    {"service-config", OPTION_CONFIG, "FILE", 0, "gRPC's JSON", 0},
    {"hash-key", OPTION_HASH_KEY, "TEXT", 0, "For policies that hash", 0},
    {"save", OPTION_SAVE, "FILE", 0,
     "Write the bytes of the last response to FILE; \"-\": stdout, and nothing "
     "else there",
     0},
    {"tls", OPTION_TLS, NULL, 0, "TLS, with the default roots", 1},
    {"cacert", OPTION_CA, "FILE", 0, "TLS, with these authorities (PEM)", 1},
    {"cert", OPTION_CERTIFICATE, "FILE", 0, "TLS, with this certificate", 1},
    {"key", OPTION_KEY, "FILE", 0, "And its key", 1},
    {"authority", OPTION_AUTHORITY, "NAME", 0,
     "The name that TLS checks and :authority has", 1},
    {0},
};

/* ---- the command line ---- */

static void read_message(arguments *self, int key, const char *text,
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

static void add_header(arguments *self, const char *text,
                       struct argp_state *state)
{
    grpc_metadata *header = &self->headers[self->call.n_metadata];

    if (self->call.n_metadata == MAX_HEADERS) {
        argp_error(state, "over %d headers", (int)MAX_HEADERS);
    } else if (!message_header(text, header)) {
        argp_error(state, "no header \"%s\": say \"key: value\"", text);
    } else {
        self->call.n_metadata++;
    }
}

static void set_repeat(arguments *self, const char *text,
                       struct argp_state *state)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 ||
        n > MAX_REPEAT) {
        argp_error(state, "\"%s\" is not from 1 to %d", text, (int)MAX_REPEAT);
    }
    self->n_repeat = (uint64_t)n;
}

/* False: it is none of TLS. */
static bool read_tls(arguments *self, int key, const char *text)
{
    switch (key) {
    case OPTION_TLS:
        break;
    case OPTION_CA:
        self->tls.ca_file = text;
        break;
    case OPTION_CERTIFICATE:
        self->tls.certificate_file = text;
        break;
    case OPTION_KEY:
        self->tls.key_file = text;
        break;
    default:
        return false;
    }
    self->has_tls = true;
    return true;
}

/* False: it is none of what is sent. */
static bool read_request(arguments *self, int key, const char *text,
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
    case OPTION_HEALTH:
        self->health = text == NULL ? "" : text;
        return true;
    case OPTION_STREAM:
        self->is_stream = true;
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

static void read_argument(arguments *self, const char *text,
                          struct argp_state *state)
{
    if (self->target == NULL) {
        self->target = text;
    } else if (self->method == NULL) {
        self->method = text;
    } else {
        argp_error(state, "one TARGET and one METHOD, not \"%s\" too", text);
    }
}

static void check(const arguments *self, struct argp_state *state)
{
    if (self->target == NULL) {
        argp_error(state, "which TARGET?");
    }
    if (self->health == NULL && self->method == NULL) {
        argp_error(state, "which METHOD? Say package.Service/Method");
    }
    if (self->method != NULL && !method_is_valid(self->method)) {
        argp_error(state, "no method \"%s\": say package.Service/Method",
                   self->method);
    }
    if (self->health != NULL &&
        (self->method != NULL || self->messages.n > 0 || self->is_stream)) {
        argp_error(state, "--health has a METHOD and a message of its own");
    }
    if (self->is_stream && (self->n_repeat > 1 || self->save != NULL)) {
        argp_error(state, "--stream is one call, and shows what it gets");
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    if (read_tls(self, key, text) || read_request(self, key, text, state)) {
        return 0;
    }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->options;
        return 0;
    case 'n':
        set_repeat(self, text, state);
        return 0;
    case 'p':
        self->policy = text;
        return 0;
    case 't':
        if (!duration_parse(text, &self->timeout_ms)) {
            argp_error(state, "no time \"%s\": say 5s, 250ms or 1m", text);
        }
        return 0;
    case OPTION_CONFIG:
        self->config = text;
        return 0;
    case OPTION_SAVE:
        self->save = text;
        return 0;
    case OPTION_AUTHORITY:
        self->authority = text;
        return 0;
    case ARGP_KEY_ARG:
        read_argument(self, text, state);
        return 0;
    case ARGP_KEY_END:
        check(self, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    entries, parse, "TARGET [METHOD]", doc, options_children, NULL, NULL};

/* ---- calls ---- */

static uint64_t deadline_ns(uint64_t timeout_ms)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec +
           timeout_ms * UINT64_C(1000000);
}

static exit_code save(const arguments *self, grpc_byte_buffer *response)
{
    const bool is_stdout = strcmp(self->save, "-") == 0;
    FILE *out = is_stdout ? stdout : fopen(self->save, "wb");
    grpc_slice bytes;
    bool is_written;

    if (out == NULL) {
        return command_fail(EXIT_CODE_FAILURE, self->save, strerror(errno));
    }
    bytes = message_bytes(response);
    is_written =
        fwrite(GRPC_SLICE_START_PTR(bytes), 1, GRPC_SLICE_LENGTH(bytes), out) ==
        GRPC_SLICE_LENGTH(bytes);
    grpc_slice_unref(bytes);
    is_written &= (is_stdout ? fflush(out) : fclose(out)) == 0;
    return is_written
               ? EXIT_CODE_OK
               : command_fail(EXIT_CODE_FAILURE, self->save, strerror(errno));
}

static exit_code code_of_health(const arguments *self,
                                grpc_byte_buffer *response)
{
    const int status = muster__grpc_health_status(response);

    return status == MUSTER__GRPC_SERVING
               ? EXIT_CODE_OK
               : command_fail(EXIT_CODE_FAILURE, self->target,
                              muster__grpc_health_name(status));
}

/* One call; its row goes into rows. */
static exit_code make_call(const arguments *self, muster_channel *channel,
                           const char *method, json_t *rows, bool is_last)
{
    muster_call_options call_options = self->call;
    muster_call_result result = {.struct_size = sizeof result};
    muster_call *call = NULL;
    muster_error err = {.code = MUSTER_OK};
    exit_code code = EXIT_CODE_OK;

    call_options.deadline_ns = deadline_ns(self->timeout_ms);
    if (muster_call_create(channel, method, &call_options, &call, &err) !=
            MUSTER_OK ||
        muster_call_unary(call, message_list_last(&self->messages)) !=
            MUSTER_OK) {
        muster_call_destroy(call);
        return command_fail(EXIT_CODE_FAILURE, self->target,
                            err.code == MUSTER_OK ? "out of memory"
                                                  : err.message);
    }
    muster_call_get_result(call, &result);
    (void)json_array_append_new(
        rows, row_of_call(call, &result, self->health != NULL));
    if (result.status != GRPC_STATUS_OK) {
        code = failure_of_call(self->target, &result);
    } else if (self->health != NULL) {
        code = code_of_health(self, result.response);
    } else if (is_last && self->save != NULL) {
        code = save(self, result.response);
    }
    muster_call_destroy(call);
    return code;
}

static exit_code print(arguments *self, json_t *rows)
{
    json_t *document =
        json_pack("{s:i, s:o, s:O}", "schema_version", OUTPUT_SCHEMA_VERSION,
                  "target", model_text(self->target), "calls", rows);
    const output_report report = {document, "calls", row_columns, row_name};
    exit_code code = output_write(&self->options.output, &report);

    json_decref(document);
    return code;
}

static exit_code make_calls(arguments *self, muster_channel *channel)
{
    char *method = method_full(
        self->health != NULL ? "grpc.health.v1.Health/Check" : self->method);
    json_t *rows = json_array();
    exit_code first = EXIT_CODE_OK;
    exit_code printed = EXIT_CODE_OK;

    for (uint64_t i = 1; method != NULL && i <= self->n_repeat; i++) {
        exit_code code =
            make_call(self, channel, method, rows, i == self->n_repeat);

        first = first == EXIT_CODE_OK ? code : first;
    }
    if (self->save == NULL || strcmp(self->save, "-") != 0) {
        printed = print(self, rows);
    }
    json_decref(rows);
    free(method);
    return first != EXIT_CODE_OK ? first : printed;
}

/* Without a message it is an empty one that is sent. */
static exit_code make_stream(arguments *self, muster_channel *channel)
{
    muster_call_options call_options = self->call;
    muster_call_result result = {.struct_size = sizeof result};
    char *method = method_full(self->method);
    muster_call *call = NULL;
    exit_code code;

    call_options.deadline_ns = deadline_ns(self->timeout_ms);
    if (method == NULL ||
        (self->messages.n == 0 &&
         !message_list_add(&self->messages,
                           grpc_raw_byte_buffer_create(NULL, 0))) ||
        muster_call_create(channel, method, &call_options, &call, NULL) !=
            MUSTER_OK) {
        free(method);
        return command_fail(EXIT_CODE_FAILURE, self->target, "out of memory");
    }
    code =
        stream_run(call, &self->messages, self->target, &self->options.output);
    muster_call_get_result(call, &result);
    if (code == EXIT_CODE_OK && result.status != GRPC_STATUS_OK) {
        code = failure_of_call(self->target, &result);
    }
    muster_call_destroy(call);
    free(method);
    return code;
}

/* ---- the verb ---- */

static exit_code open_and_call(arguments *self, const char *config)
{
    const muster_channel_options channel_options = {
        .struct_size = sizeof channel_options,
        .policy = self->policy,
        .authority = self->authority,
        .service_config = config};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options,
        .tls = self->has_tls ? &self->tls : NULL};
    muster_channel *channel = NULL;
    muster_error err;
    muster_status status = muster_grpc_channel_create(
        self->target, &channel_options, &grpc_options, &channel, &err);
    exit_code code;

    if (status != MUSTER_OK) {
        return command_fail_create(status, self->target, &err);
    }
    code = self->is_stream ? make_stream(self, channel)
                           : make_calls(self, channel);
    muster_channel_destroy(channel);
    return code;
}

static exit_code run(arguments *self)
{
    char *config = NULL;
    size_t size = 0;
    exit_code code = tls_files_check(&self->tls);

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
    code = open_and_call(self, config);
    free(config);
    return code;
}

exit_code command_call(int argc, char **argv)
{
    arguments self = {.timeout_ms = 5000, .n_repeat = 1};
    exit_code code;

    self.call.struct_size = (uint32_t)sizeof self.call;
    self.call.metadata = self.headers;
    self.tls.struct_size = (uint32_t)sizeof self.tls;
    options_init(&self.options);
    grpc_init();
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    if (self.health != NULL) {
        (void)message_list_add(&self.messages,
                               muster__grpc_health_request(self.health));
    }
    code = run(&self);
    message_list_fini(&self.messages);
    for (size_t i = 0; i < self.call.n_metadata; i++) {
        grpc_slice_unref(self.headers[i].key);
        grpc_slice_unref(self.headers[i].value);
    }
    return code;
}
