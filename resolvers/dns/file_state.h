/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a file is another one than when it was read. Header only. */
#ifndef MUSTER_RESOLVERS_DNS_FILE_STATE_H
#define MUSTER_RESOLVERS_DNS_FILE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* All zero: none was looked at. */
typedef struct muster__dns_file_state {
    bool is_known;
    uint64_t inode; /* 0: there is no file */
    int64_t size;
    int64_t changed_s;
    int64_t changed_ns;
} muster__dns_file_state;

/* To be called before the file is read: a later change is then seen. */
static inline muster__dns_file_state muster__dns_file_look(const char *path)
{
    muster__dns_file_state state = {.is_known = true};
    struct stat file;

    if (stat(path, &file) == 0) {
        state.inode = file.st_ino;
        state.size = file.st_size;
        state.changed_s = file.st_ctim.tv_sec;
        state.changed_ns = file.st_ctim.tv_nsec;
    }
    return state;
}

static inline bool muster__dns_file_is_same(const muster__dns_file_state *a,
                                            const muster__dns_file_state *b)
{
    return a->is_known == b->is_known && a->inode == b->inode &&
           a->size == b->size && a->changed_s == b->changed_s &&
           a->changed_ns == b->changed_ns;
}

#endif
