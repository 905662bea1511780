/* SPDX-License-Identifier: Apache-2.0 */
/* The file itself: whether it changed, and its bytes. */
#ifndef MUSTER_FILE_SOURCE_H
#define MUSTER_FILE_SOURCE_H

#include <muster/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* Bytes of a file; a larger one is refused. */
enum { MUSTER__FILE_MAX = 64 << 20 };

/* What tells one state of a file from another. All zero: never looked at. */
typedef struct muster__file_state {
    int error; /* errno of looking at it; the rest is then zero */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed;
    bool is_known;
    bool is_fresh; /* it changed so lately that it may change again without
                      another time stamp: kernels count in ticks */
} muster__file_state;

/* Whether both are the same state of the same file, for sure. */
bool muster__file_is_same(const muster__file_state *a,
                          const muster__file_state *b);

/* Follows symbolic links. */
void muster__file_look(const char *path, muster__file_state *ret_state);

/* Reads all of a regular file; its text is the caller's and has a NUL after its
 * end. Never waits for another process (as a FIFO would make it do). Sets
 * *ret_state also on failure: MUSTER_UNAVAILABLE, MUSTER_PERMISSION,
 * MUSTER_EXHAUSTED (too large), MUSTER_NOMEM. */
muster_status muster__file_read(const char *path, char **ret_text,
                                size_t *ret_length,
                                muster__file_state *ret_state,
                                muster_error *err);

#endif
