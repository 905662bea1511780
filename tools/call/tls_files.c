/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

exit_code tls_files_check(const muster_grpc_tls_options *tls)
{
    const char *const files[] = {tls->ca_file, tls->certificate_file,
                                 tls->key_file};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] != NULL && access(files[i], R_OK) != 0) {
            return command_fail(EXIT_CODE_SOURCE, files[i], strerror(errno));
        }
    }
    return EXIT_CODE_OK;
}
