/* SPDX-License-Identifier: Apache-2.0 */
/* A file of PEM text, read as a whole, and whether it has changed since. */
#ifndef MUSTER_CORE_GRPC_TLS_FILE_H
#define MUSTER_CORE_GRPC_TLS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/status.h>

/* What tells one state of a file from another. All zero: there is no file. */
typedef struct muster__tls_stamp {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    uint64_t modified_ns;
    uint64_t changed_ns; /* its inode: also set when a time is set back */
} muster__tls_stamp;

/* Frees what may be a key, and leaves nothing of it in memory. NULL is ignored.
 */
void muster__tls_wipe(char *text, size_t length);

/* Reads path, following links. *ret_text is the caller's, zero-terminated, to
 * be given to free(3). MUSTER_INVAL: it cannot be read, is too long, or changed
 * while it was read. MUSTER_NOMEM. Thread: any. */
muster_status muster__tls_file_read(const char *path, char **ret_text,
                                    muster__tls_stamp *ret_stamp,
                                    muster_error *err);

/* Whether path is in another state than it was. Thread: any. */
bool muster__tls_file_has_changed(const char *path,
                                  const muster__tls_stamp *stamp);

#endif
