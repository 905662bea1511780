/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the files of a channel's TLS are there. */
#ifndef MUSTER_TOOLS_CALL_TLS_FILES_H
#define MUSTER_TOOLS_CALL_TLS_FILES_H

#include <muster/grpc.h>

#include "../command.h"

/* EXIT_CODE_SOURCE, said on stderr, when one cannot be read: the library says
 * that, too, and does not tell it from a file with the wrong content. */
exit_code tls_files_check(const muster_grpc_tls_options *tls);

#endif
