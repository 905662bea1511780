/* SPDX-License-Identifier: Apache-2.0 */
/* muster call: calls through the library's own balancer, and whom they
 * reached. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/grpc.h>
#include <muster/muster.h>

#include "../../core/grpc/health_message.h"
#include "../command.h"
#include "../model.h"
#include "../options.h"
#include "failure.h"
#include "message.h"
#include "method.h"
#include "request.h"
#include "row.h"
#include "stream.h"

enum { OPTION_HEALTH = 256, OPTION_SAVE, OPTION_STREAM };

enum { MAX_REPEAT = 1000000 };

typedef struct arguments {
    options options;
    request request;
    const char *target;
    const char *method;
    const char *health; /* NULL: this is no health check */
    const char *save;
    uint64_t n_repeat;
    bool is_stream;
} arguments;

static const char doc[] =
    "Call METHOD of the service behind TARGET, and show which endpoint "
    "answered. Messages are raw bytes: those of a Protocol Buffers message, "
    "for example, as protoc --encode writes them.\v"
    "Examples:\n"
    "  muster call --health static:///10.0.0.1:50051\n"
    "  muster call dns:///web.prod:50051 shop.Cart/Get --hex '0a 03 616263'\n"
    "  muster call --retry 3 dns:///web.prod:50051 shop.Cart/Get\n"
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
    {"health", OPTION_HEALTH, "SERVICE", OPTION_ARG_OPTIONAL,
     "Call grpc.health.v1.Health/Check, of the whole server or SERVICE", 0},
    {"stream", OPTION_STREAM, NULL, 0,
     "Send each --data and --hex as a message of one stream, and show each "
     "message that comes",
     0},
    {"repeat", 'n', "N", 0, "Call N times, one after the other", 0},
    {"save", OPTION_SAVE, "FILE", 0,
     "Write the bytes of the last response to FILE; \"-\": stdout, and nothing "
     "else there",
     0},
    {0},
};

/* ---- the command line ---- */

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
        (self->method != NULL || self->request.messages.n > 0 ||
         self->is_stream)) {
        argp_error(state, "--health has a METHOD and a message of its own");
    }
    if (self->is_stream && (self->n_repeat > 1 || self->save != NULL)) {
        argp_error(state, "--stream is one call, and shows what it gets");
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->request;
        state->child_inputs[1] = &self->options;
        return 0;
    case 'n':
        set_repeat(self, text, state);
        return 0;
    case OPTION_HEALTH:
        self->health = text == NULL ? "" : text;
        return 0;
    case OPTION_STREAM:
        self->is_stream = true;
        return 0;
    case OPTION_SAVE:
        self->save = text;
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

static const struct argp_child children[] = {
    {&request_argp, 0, NULL, 0},
    {&options_argp, 0, "Common options:", 1},
    {0},
};

static const struct argp argp = {
    entries, parse, "TARGET [METHOD]", doc, children, NULL, NULL};

/* ---- calls ---- */

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
    muster_call_options call_options = self->request.call;
    muster_call_result result = {.struct_size = sizeof result};
    muster_call *call = NULL;
    muster_error err = {.code = MUSTER_OK};
    exit_code code = EXIT_CODE_OK;

    call_options.deadline_ns =
        request_deadline_ns(&self->request, request_now_ns());
    if (muster_call_create(channel, method, &call_options, &call, &err) !=
            MUSTER_OK ||
        muster_call_unary(call, message_list_last(&self->request.messages)) !=
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
    message_list *messages = &self->request.messages;
    muster_call_options call_options = self->request.call;
    muster_call_result result = {.struct_size = sizeof result};
    char *method = method_full(self->method);
    muster_call *call = NULL;
    exit_code code;

    call_options.deadline_ns =
        request_deadline_ns(&self->request, request_now_ns());
    if (method == NULL ||
        (messages->n == 0 &&
         !message_list_add(messages, grpc_raw_byte_buffer_create(NULL, 0))) ||
        muster_call_create(channel, method, &call_options, &call, NULL) !=
            MUSTER_OK) {
        free(method);
        return command_fail(EXIT_CODE_FAILURE, self->target, "out of memory");
    }
    code = stream_run(call, messages, self->target, &self->options.output);
    muster_call_get_result(call, &result);
    if (code == EXIT_CODE_OK && result.status != GRPC_STATUS_OK) {
        code = failure_of_call(self->target, &result);
    }
    muster_call_destroy(call);
    free(method);
    return code;
}

/* ---- the verb ---- */

static exit_code run(arguments *self)
{
    muster_channel *channel = NULL;
    exit_code code =
        connecting_open(&self->request.how, self->target, &channel);

    if (code == EXIT_CODE_OK) {
        code = self->is_stream ? make_stream(self, channel)
                               : make_calls(self, channel);
        muster_channel_destroy(channel);
    }
    return code;
}

exit_code command_call(int argc, char **argv)
{
    arguments self = {.n_repeat = 1};
    exit_code code;

    options_init(&self.options);
    request_init(&self.request);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    code = self.health == NULL ||
                   message_list_add(&self.request.messages,
                                    muster__grpc_health_request(self.health))
               ? run(&self)
               : command_fail(EXIT_CODE_FAILURE, self.target, "out of memory");
    request_release(&self.request);
    return code;
}
