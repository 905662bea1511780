/* SPDX-License-Identifier: Apache-2.0 */
/* What a target's text means: TARGETS.md, in code. */
#ifndef MUSTER_CORE_TARGET_H
#define MUSTER_CORE_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include <muster/endpoint.h>
#include <muster/resolver.h>
#include <muster/status.h>

typedef enum muster__empty {
    MUSTER__EMPTY_ACCEPT,
    MUSTER__EMPTY_KEEP,
    MUSTER__EMPTY_HOLD
} muster__empty;

struct muster__plugin;

/* Parsed, checked against the scheme's class, percent-decoded. */
typedef struct muster__target {
    char *canonical; /* equal targets have equal text: options sorted */
    char *scheme;
    char *authority;
    char *path;
    muster_attribute *options; /* the class's own, sorted by name */
    uint32_t n_options;
    muster__empty empty; /* the core's "empty" option, or the class's default */
    uint64_t hold_ms;    /* for HOLD */
    const muster_resolver_class *resolver; /* of the scheme */
    struct muster__plugin *plugin;         /* that resolver belongs to it */
} muster__target;

/* Reads text, loading the scheme's plugin when needed. Thread: any but control.
 * *ret_target is the caller's. MUSTER_INVAL, MUSTER_NOTFOUND (no such scheme:
 * err lists those there are), MUSTER_ABI and others from loading. */
muster_status muster__target_parse(const char *text,
                                   muster__target **ret_target,
                                   muster_error *err);

/* Asks the target's class what TLS and :authority call it. *ret_authority is
 * the caller's; NULL: it has no name. Thread: control. MUSTER_NOMEM. */
muster_status muster__target_authority(const muster__target *target,
                                       char **ret_authority);

void muster__target_destroy(muster__target *target); /* NULL is ignored */

#endif
