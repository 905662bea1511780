/* SPDX-License-Identifier: Apache-2.0 */
/* The options of verbs that connect by TLS. */
#ifndef MUSTER_TOOLS_TLS_H
#define MUSTER_TOOLS_TLS_H

#include <argp.h>
#include <stdbool.h>

#include "command.h"

typedef struct tls_paths {
    bool is_used; /* one of the options was given */
    const char *ca_file;
    const char *certificate_file;
    const char *key_file;
    const char *authority; /* alone it does not ask for TLS */
} tls_paths;

/* A verb's parser sets its input (a tls_paths) at ARGP_KEY_INIT. */
extern const struct argp tls_argp;

/* EXIT_CODE_SOURCE, said on stderr, when a file cannot be read: the library
 * says that, too, and does not tell it from one with the wrong content. */
exit_code tls_check_files(const tls_paths *paths);

#endif
