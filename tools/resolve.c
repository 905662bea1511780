/* SPDX-License-Identifier: Apache-2.0 */
/* muster resolve: a target's endpoints, once. */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "duration.h"
#include "listener.h"
#include "model.h"
#include "options.h"
#include "policy.h"

typedef struct arguments {
    options options;
    const char *target;
    const char *policy;
    uint64_t timeout_ms;
} arguments;

static const struct argp_option entries[] = {
    {"policy", 'p', "POLICY", 0,
     "Say what the balancing policy would ignore of the list", 0},
    {"timeout", 't', "TIME", 0, "Give up after TIME (default 5s)", 0},
    {0},
};

static const char doc[] =
    "List the endpoints of TARGET once.\v"
    "Examples:\n"
    "  muster resolve static:///10.0.0.1:50051,10.0.0.2:50051\n"
    "  muster resolve file:///etc/backends -o json\n"
    "  muster resolve file:///etc/backends -o name | head -n 1\n"
    "\n"
    "Exit status: 0 there are endpoints; 2 usage, or no such target; 3 there "
    "are none; 4 the source is unreachable or does not answer in time; 5 it "
    "answers something invalid; 6 a plugin cannot be loaded; 1 anything else.";

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->options;
        return 0;
    case 'p':
        self->policy = text;
        return 0;
    case 't':
        if (!duration_parse(text, &self->timeout_ms)) {
            argp_error(state, "no time \"%s\": say 5s, 250ms or 1m", text);
        }
        return 0;
    default:
        return options_target(key, text, state, &self->target);
    }
}

static const struct argp argp = {entries,          parse, "TARGET", doc,
                                 options_children, NULL,  NULL};

static const output_column columns[] = {
    {"ADDRESS", "address", 0},       {"WEIGHT", "weight", 0},
    {"PRIORITY", "priority", 0},     {"ZONE", "zone", 0},
    {"HOSTNAME", "hostname", 0},     {"MORE-ADDRESSES", "more_addresses", 0},
    {"ATTRIBUTES", "attributes", 0}, {NULL, NULL, 0},
};

static const char *const name[] = {"address", NULL};

static exit_code print(arguments *self, const answer *got)
{
    json_t *document = json_pack(
        "{s:i, s:o, s:O, s:O}", "schema_version", OUTPUT_SCHEMA_VERSION,
        "target", model_text(self->target), "endpoints", got->endpoints,
        "service_config", got->service_config);
    const output_report report = {document, "endpoints", columns, name};
    exit_code code = output_write(&self->options.output, &report);

    json_decref(document);
    if (code == EXIT_CODE_OK && json_array_size(got->endpoints) == 0) {
        return command_fail(EXIT_CODE_NO_ENDPOINTS, self->target,
                            "the source answers, and lists no endpoint");
    }
    return code;
}

static exit_code answer_code(arguments *self, const answer *got)
{
    if (got->type == MUSTER_WATCH_ERROR) {
        return command_fail(command_code_of_source(got->status), self->target,
                            json_string_value(got->message));
    }
    return print(self, got);
}

static exit_code wait_and_print(arguments *self, listener *source)
{
    answer *got = NULL;
    exit_code code;

    switch (
        listener_next(source, listener_deadline_ms(self->timeout_ms), &got)) {
    case MUSTER_OK:
        code = answer_code(self, got);
        answer_destroy(got);
        return code;
    case MUSTER_TIMEOUT:
        return command_fail(EXIT_CODE_SOURCE, self->target,
                            "no answer in time; --timeout allows more");
    default:
        return command_fail(EXIT_CODE_FAILURE, self->target, "out of memory");
    }
}

exit_code command_resolve(int argc, char **argv)
{
    arguments self = {.target = NULL, .timeout_ms = 5000};
    listener *source = NULL;
    muster_error err;
    muster_status status;
    exit_code code;

    options_init(&self.options);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &self);
    if (self.policy != NULL) {
        code = policy_find(self.policy);
        if (code != EXIT_CODE_OK) {
            return code;
        }
    }
    status = listener_create(self.target, &source, &err);
    if (status != MUSTER_OK) {
        return command_fail_create(status, self.target, &err);
    }
    code = wait_and_print(&self, source);
    if (code == EXIT_CODE_OK && self.policy != NULL) {
        code = policy_check(self.target, self.policy, self.timeout_ms);
    }
    listener_destroy(source);
    return code;
}
