/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say how a target is connected to, and a channel by them. */
#include "connecting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/log.h>

#include <muster/grpc.h>

#include "../file.h"

enum { OPTION_CONFIG = 512 }; /* apart from those of the verbs */

static const struct argp_option entries[] = {
    {"policy", 'p', "NAME[={...}]", 0,
     "Balance by the policy NAME, with these settings", 0},
    {"service-config", OPTION_CONFIG, "FILE", 0, "gRPC's JSON", 0},
    {0},
};

static void set_policy(connecting *self, const char *text,
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

static error_t parse(int key, char *text, struct argp_state *state)
{
    connecting *self = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &self->tls;
        return 0;
    case 'p':
        set_policy(self, text, state);
        return 0;
    case OPTION_CONFIG:
        self->config = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&tls_argp, 0, NULL, 0}, {0}};

const struct argp connecting_argp = {
    .options = entries, .parser = parse, .children = children};

void connecting_release(connecting *self)
{
    free(self->policy_name);
    free(self->config_text);
}

/* What C core has to say is in the failures of connections and calls. */
static void drop_line(gpr_log_func_args *line)
{
    (void)line;
}

muster_status connecting_create_channel(const connecting *self,
                                        const char *target, const char *config,
                                        muster_channel **ret_channel,
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

    if (getenv("GRPC_VERBOSITY") == NULL) {
        gpr_set_log_function(drop_line);
    }
    return muster_grpc_channel_create(target, &options, &grpc_options,
                                      ret_channel, err);
}

static exit_code open_with(const connecting *self, const char *target,
                           const char *config, muster_channel **ret_channel)
{
    muster_error err;
    muster_status status =
        connecting_create_channel(self, target, config, ret_channel, &err);

    return status == MUSTER_OK ? EXIT_CODE_OK
                               : command_fail_create(status, target, &err);
}

exit_code connecting_open(const connecting *self, const char *target,
                          muster_channel **ret_channel)
{
    char *config = NULL;
    size_t size = 0;
    exit_code code = tls_check_files(&self->tls);

    if (code != EXIT_CODE_OK) {
        return code;
    }
    if (self->config_text != NULL && self->config != NULL) {
        return command_fail(EXIT_CODE_USAGE, self->config,
                            "one of --retry, --hedge and --service-config");
    }
    if (self->config == NULL) {
        return open_with(self, target, self->config_text, ret_channel);
    }
    config = file_read(self->config, &size);
    if (config == NULL) {
        return command_fail(EXIT_CODE_SOURCE, self->config, strerror(errno));
    }
    code = open_with(self, target, config, ret_channel);
    free(config);
    return code;
}
