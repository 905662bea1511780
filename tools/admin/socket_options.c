/* SPDX-License-Identifier: Apache-2.0 */
/* The options of verbs that ask a process. */
#include "socket_options.h"

#include "../duration.h"

static const struct argp_option entries[] = {
    {"socket", 's', "PATH", 0,
     "Ask the process with this admin socket (default: MUSTER_ADMIN)", 0},
    {"timeout", 't', "TIME", 0, "Wait at most TIME (default 5s)", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    socket_options *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->common;
        return 0;
    case 's':
        self->socket = text;
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

const struct argp socket_options_argp = {
    .options = entries, .parser = parse, .children = options_children};

const struct argp_child socket_options_children[] = {
    {&socket_options_argp, 0, SOCKET_OPTIONS_HEADER, 1},
    {0},
};

void socket_options_init(socket_options *self)
{
    options_init(&self->common);
    self->socket = NULL;
    self->timeout_ms = 5000;
}

exit_code socket_options_fail(const char *path, muster_status status,
                              const muster_error *err)
{
    return command_fail(status == MUSTER_INVAL ? EXIT_CODE_USAGE
                                               : command_code_of_source(status),
                        path, err->message);
}

exit_code socket_options_connect(const socket_options *self,
                                 const char **ret_path,
                                 admin_client **ret_client)
{
    muster_error err;
    const char *path = admin_client_path(self->socket, &err);
    muster_status status;

    if (path == NULL) {
        return command_fail(EXIT_CODE_USAGE, "socket", err.message);
    }
    status = admin_client_create(path, ret_client, &err);
    if (status != MUSTER_OK) {
        return socket_options_fail(path, status, &err);
    }
    *ret_path = path;
    return EXIT_CODE_OK;
}
