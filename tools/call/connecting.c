/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say how a target is connected to, and a channel by them. */
#include "connecting.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <muster/grpc.h>

#include "../file.h"

enum {
    OPTION_CONFIG = 512, /* apart from those of the verbs */
    OPTION_TLS,
    OPTION_CA,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_AUTHORITY
};

struct connecting {
    const char *policy;
    const char *config; /* a file */
    const char *authority;
    muster_grpc_tls_options tls;
    bool has_tls;
};

static const struct argp_option entries[] = {
    {"policy", 'p', "NAME", 0, "Balance by the policy NAME", 0},
    {"service-config", OPTION_CONFIG, "FILE", 0, "gRPC's JSON", 0},
    {"tls", OPTION_TLS, NULL, 0, "TLS, with the default roots", 1},
    {"cacert", OPTION_CA, "FILE", 0, "TLS, with these authorities (PEM)", 1},
    {"cert", OPTION_CERTIFICATE, "FILE", 0, "TLS, with this certificate", 1},
    {"key", OPTION_KEY, "FILE", 0, "And its key", 1},
    {"authority", OPTION_AUTHORITY, "NAME", 0,
     "The name that TLS checks and :authority has", 1},
    {0},
};

/* False: it is none of TLS. */
static bool read_tls(connecting *self, int key, const char *text)
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

static error_t parse(int key, char *text, struct argp_state *state)
{
    connecting *self = state->input;

    if (read_tls(self, key, text)) {
        return 0;
    }
    switch (key) {
    case 'p':
        self->policy = text;
        return 0;
    case OPTION_CONFIG:
        self->config = text;
        return 0;
    case OPTION_AUTHORITY:
        self->authority = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {.options = entries, .parser = parse};

const struct argp_child connecting_children[] = {
    {&argp, 0, NULL, 0},
    {0},
};

connecting *connecting_create(void)
{
    connecting *self = calloc(1, sizeof *self);

    if (self != NULL) {
        self->tls.struct_size = (uint32_t)sizeof self->tls;
    }
    return self;
}

void connecting_destroy(connecting *self)
{
    free(self);
}

static exit_code open_with(const connecting *self, const char *target,
                           const char *config, muster_channel **ret_channel)
{
    const muster_channel_options channel_options = {
        .struct_size = sizeof channel_options,
        .policy = self->policy,
        .authority = self->authority,
        .service_config = config};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options,
        .tls = self->has_tls ? &self->tls : NULL};
    muster_error err;
    muster_status status = muster_grpc_channel_create(
        target, &channel_options, &grpc_options, ret_channel, &err);

    return status == MUSTER_OK ? EXIT_CODE_OK
                               : command_fail_create(status, target, &err);
}

exit_code connecting_open(const connecting *self, const char *target,
                          muster_channel **ret_channel)
{
    char *config = NULL;
    size_t size = 0;
    exit_code code;

    if (self->config != NULL) {
        config = file_read(self->config, &size);
        if (config == NULL) {
            return command_fail(EXIT_CODE_SOURCE, self->config,
                                strerror(errno));
        }
    }
    code = open_with(self, target, config, ret_channel);
    free(config);
    return code;
}
