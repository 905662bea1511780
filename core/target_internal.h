/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of muster__target_parse(): text to parts, parts to canonical text,
 * the core's own option. Thread: any, all of it. */
#ifndef MUSTER_CORE_TARGET_INTERNAL_H
#define MUSTER_CORE_TARGET_INTERNAL_H

#include <stdbool.h>

#include "target.h"

/* Bytes of a target's text. */
enum { MUSTER__TARGET_MAX = 64 << 10 };

/* A URI in parts, percent-decoded; options sorted by name, each name once. */
typedef struct muster__uri {
    char *authority;           /* decoded; host in lower case */
    char *canonical_authority; /* the same, still encoded where need be */
    char *path;                /* with the leading "/", if it has one */
    muster_attribute *options; /* keys and values are the uri's */
    uint32_t n_options;
} muster__uri;

/* Splits text, whose scheme (and its ":") is scheme_length bytes long. On
 * success *ret_uri is to be cleared by the caller. MUSTER_INVAL: err says what
 * is wrong, without the target's text. MUSTER_NOMEM. */
muster_status muster__uri_parse(const char *text, size_t scheme_length,
                                muster__uri *ret_uri, muster_error *err);

void muster__uri_clear(muster__uri *uri); /* all zero is fine */

/* Frees n options with their texts. */
void muster__options_free(muster_attribute *options, uint32_t n);

/* Checks that text can be a target at all: length, percent-escapes, control
 * characters written out or escaped. MUSTER_INVAL as above. */
muster_status muster__uri_check_text(const char *text, muster_error *err);

/* The text that equal targets share; the caller's. NULL: out of memory. path is
 * as in the target, is_absolute that the class keeps the leading "/". */
char *muster__uri_canonical(const char *scheme, const char *path,
                            bool is_absolute, const muster__uri *uri);

/* Reads "accept", "keep" or "hold:TIME". MUSTER_INVAL as above. */
muster_status muster__empty_parse(const char *text, muster__empty *ret_empty,
                                  uint64_t *ret_hold_ms, muster_error *err);

#endif
