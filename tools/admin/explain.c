/* SPDX-License-Identifier: Apache-2.0 */
/* muster explain: why endpoints are picked, or are not, in a process that runs
 * or in a channel of the command's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../call/connecting.h"
#include "explanation.h"
#include "settled.h"
#include "socket_options.h"

typedef struct arguments {
    socket_options source;
    connecting how; /* used with gRPC only */
    const char *target;
} arguments;

static const char doc[] =
    "Say for each endpoint of TARGET why it is picked for calls now, or why it "
    "is not: by a process that runs (--socket), or by a channel that is opened "
    "for it, when its endpoints have connected or failed, or the time is "
    "over.\v"
    "With --socket TARGET may be a part of the channel's target, and without "
    "one all channels are explained.\n"
    "\n"
    "Examples:\n"
    "  muster explain consul:///web\n"
    "  muster explain dns:///web.prod:50051 --policy ring_hash --cacert "
    "ca.pem\n"
    "  muster explain --socket /run/shop/muster.7301 web\n"
    "  muster explain --socket /run/shop/muster.7301 -o ndjson |\n"
    "      jq -r 'select(.picked | not) | \"\\(.address) \\(.cause)\"'\n"
    "\n"
    "Exit status: 0 at least one endpoint is picked; 2 usage, or no such "
    "target; 3 the list is empty; 4 no endpoint can be picked, or the process "
    "does not answer; 5 what answers is no muster; 6 a plugin cannot be "
    "loaded. Of several channels the first that is not 0 counts.";

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->source;
#ifdef MUSTER_TOOLS_GRPC
        state->child_inputs[1] = &self->how;
#endif
        return 0;
    case ARGP_KEY_ARG:
        if (self->target != NULL) {
            argp_error(state, "one TARGET only, not \"%s\" too", text);
        }
        self->target = text;
        return 0;
    case ARGP_KEY_END:
        if (self->target == NULL && self->source.socket == NULL &&
            getenv("MUSTER_ADMIN") == NULL) {
            argp_error(state, "which TARGET, or which --socket?");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static exit_code explain(arguments *self, const json_t *channel, bool is_first)
{
    output *out = &self->source.common.output;
    json_t *explanation = explanation_of(channel);
    exit_code code;

    if (!is_first && out->format == OUTPUT_TABLE) {
        (void)puts("");
    }
    code = explanation_write(out, explanation);
    json_decref(explanation);
    return code;
}

/* ---- a process that runs ---- */

static bool is_meant(const json_t *channel, const char *target, bool is_part)
{
    const char *name = json_string_value(json_object_get(channel, "target"));

    if (target == NULL) {
        return true;
    }
    return name != NULL &&
           (is_part ? strstr(name, target) != NULL : strcmp(name, target) == 0);
}

static size_t n_meant(const json_t *channels, const char *target, bool is_part)
{
    size_t n = 0;
    size_t index;
    const json_t *channel;

    json_array_foreach(channels, index, channel)
    {
        n += is_meant(channel, target, is_part) ? 1 : 0;
    }
    return n;
}

/* The target as it was given, else as a part. */
static exit_code explain_all(arguments *self, const json_t *channels)
{
    const bool has_headers = self->source.common.output.is_header_due;
    const bool is_part = n_meant(channels, self->target, false) == 0;
    exit_code first_bad = EXIT_CODE_OK;
    bool is_first = true;
    size_t index;
    const json_t *channel;

    json_array_foreach(channels, index, channel)
    {
        exit_code code;

        if (!is_meant(channel, self->target, is_part)) {
            continue;
        }
        self->source.common.output.is_header_due = has_headers;
        code = explain(self, channel, is_first);
        is_first = false;
        first_bad = first_bad == EXIT_CODE_OK ? code : first_bad;
    }
    if (!is_first) {
        return first_bad;
    }
    if (self->target != NULL) {
        return command_fail(EXIT_CODE_USAGE, self->target,
                            "the process has no channel to such a target");
    }
    return command_fail(EXIT_CODE_NO_ENDPOINTS, "explain",
                        "the process has no channel");
}

static exit_code explain_process(arguments *self)
{
    admin_client *client = NULL;
    const char *path = NULL;
    json_t *answer = NULL;
    muster_error err;
    muster_status status;
    exit_code code = socket_options_connect(&self->source, &path, &client);

    if (code != EXIT_CODE_OK) {
        return code;
    }
    status = admin_client_ask_channels(client, self->source.timeout_ms, &answer,
                                       &err);
    code = status == MUSTER_OK
               ? explain_all(self, json_object_get(answer, "channels"))
               : socket_options_fail(path, status, &err);
    json_decref(answer);
    admin_client_destroy(client);
    return code;
}

/* ---- a channel of our own ---- */

#ifdef MUSTER_TOOLS_GRPC

/* When the time is over, what there is by then is explained. */
static exit_code look(arguments *self, muster_channel *channel)
{
    json_t *dump = NULL;
    muster_status status =
        settled_dump(channel, self->source.timeout_ms, &dump);
    exit_code code;

    if (status != MUSTER_OK) {
        return command_fail(EXIT_CODE_FAILURE, self->target,
                            muster_status_text(status));
    }
    code = explain(self, dump, true);
    json_decref(dump);
    return code;
}

static exit_code explain_own(arguments *self)
{
    muster_channel *channel = NULL;
    exit_code code = connecting_open(&self->how, self->target, &channel);

    if (code == EXIT_CODE_OK) {
        code = look(self, channel);
    }
    muster_channel_destroy(channel);
    return code;
}

#else

static exit_code explain_own(arguments *self)
{
    return command_fail(EXIT_CODE_USAGE, self->target,
                        "this muster is built without gRPC, and connects to "
                        "nothing: say --socket");
}

#endif

static const struct argp_child children[] = {
    {&socket_options_argp, 0, SOCKET_OPTIONS_HEADER, 1},
#ifdef MUSTER_TOOLS_GRPC
    {&connecting_argp, 0, NULL, 0},
#endif
    {0},
};

static const struct argp argp = {NULL,     parse, "[TARGET]", doc,
                                 children, NULL,  NULL};

exit_code command_explain(int argc, char **argv)
{
    arguments self = {.target = NULL};
    exit_code code;

    socket_options_init(&self.source);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    code = self.source.socket != NULL || self.target == NULL
               ? explain_process(&self)
               : explain_own(&self);
#ifdef MUSTER_TOOLS_GRPC
    connecting_release(&self.how);
#endif
    return code;
}
