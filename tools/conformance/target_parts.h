/* SPDX-License-Identifier: Apache-2.0 */
/* A target as its resolver gets it: taken apart by muster itself. */
#ifndef MUSTER_TOOLS_TARGET_PARTS_H
#define MUSTER_TOOLS_TARGET_PARTS_H

#include <muster/resolver.h>

/* All zero stands for a target of nothing but a scheme. */
typedef struct target_parts {
    char *uri;
    char *authority;
    char *path;
    muster_attribute *options; /* n_options, each of two strings of its own */
    uint32_t n_options;
} target_parts;

/* MUSTER_INVAL and others: target is malformed; err says why. At most once a
 * process, in which no plugin may serve the class's scheme: one that takes
 * targets apart is registered for it. */
muster_status target_parts_read(const muster_resolver_class *class_,
                                const char *target, target_parts *ret_parts,
                                muster_error *err);
void target_parts_release(target_parts *self);

#endif
