/* SPDX-License-Identifier: Apache-2.0 */
/* The options of verbs that connect by TLS. */
#include "tls.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_TLS = 2048,
    OPTION_CA,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_AUTHORITY
};

static const struct argp_option entries[] = {
    {"tls", OPTION_TLS, NULL, 0, "TLS, with the default roots", 1},
    {"cacert", OPTION_CA, "FILE", 0, "TLS, with these authorities (PEM)", 1},
    {"cert", OPTION_CERTIFICATE, "FILE", 0, "TLS, with this certificate", 1},
    {"key", OPTION_KEY, "FILE", 0, "And its key", 1},
    {"authority", OPTION_AUTHORITY, "NAME", 0,
     "The name that TLS checks and :authority has", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    tls_paths *self = state->input;

    switch (key) {
    case OPTION_TLS:
        break;
    case OPTION_CA:
        self->ca_file = text;
        break;
    case OPTION_CERTIFICATE:
        self->certificate_file = text;
        break;
    case OPTION_KEY:
        self->key_file = text;
        break;
    case OPTION_AUTHORITY:
        self->authority = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    self->is_used = true;
    return 0;
}

const struct argp tls_argp = {.options = entries, .parser = parse};

exit_code tls_check_files(const tls_paths *paths)
{
    const char *const files[] = {paths->ca_file, paths->certificate_file,
                                 paths->key_file};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] != NULL && access(files[i], R_OK) != 0) {
            return command_fail(EXIT_CODE_SOURCE, files[i], strerror(errno));
        }
    }
    return EXIT_CODE_OK;
}
