/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a configuration: all of it, up to a bound, and where. The
 * path of what is being read is kept here, so that readers need not pass it. */
#ifndef MUSTER_CORE_CONFIG_PROBLEMS_H
#define MUSTER_CORE_CONFIG_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/status.h>

enum { MUSTER__PROBLEMS_MAX = 16, MUSTER__PROBLEM_PATH_SIZE = 256 };

typedef struct muster__problem {
    char *path; /* "methodConfig[0].timeout"; "" is the whole document */
    char *text; /* "must be at least 2" */
    int line;   /* from 1; 0: not known */
    int column;
} muster__problem;

/* Thread: any one. */
typedef struct muster__problems {
    muster__problem items[MUSTER__PROBLEMS_MAX];
    uint32_t n;
    uint32_t n_more; /* that found no room */
    bool is_out_of_memory;
    bool ignores_unknown;  /* what muster of another version may know, under
                              "muster", is none */
    muster_status trouble; /* why it cannot be judged now; MUSTER_OK: it can */
    size_t path_length;
    char path[MUSTER__PROBLEM_PATH_SIZE]; /* of what is read now */
} muster__problems;

void muster__problems_init(muster__problems *problems);
void muster__problems_fini(muster__problems *problems);

/* Goes into a member or an element; leave() with the answer goes back out. A
 * path that is too long is cut. */
size_t muster__problems_enter(muster__problems *problems, const char *key);
size_t muster__problems_enter_index(muster__problems *problems, size_t index);
void muster__problems_leave(muster__problems *problems, size_t mark);

/* One more, of what is read now. */
MUSTER_FORMAT_(2, 3)
void muster__problems_add(muster__problems *problems, const char *format, ...);

/* One more, of its member called key. */
void muster__problems_add_at(muster__problems *problems, const char *key,
                             const char *text);

/* MUSTER_OK when there are none. Otherwise MUSTER_INVAL, MUSTER_NOMEM, or the
 * trouble: it may be valid, try again later. err (may be NULL) has as many as
 * it has room for, after what. */
muster_status muster__problems_status(const muster__problems *problems,
                                      const char *what, muster_error *err);

#endif
