/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at endpoints of an update or a view, whose stride is the core's: it
 * may be longer than ours. Inline, because a policy is one shared object or one
 * object file among others. */
#ifndef MUSTER_BALANCERS_BACKENDS_H
#define MUSTER_BALANCERS_BACKENDS_H

#include <muster/balancer.h>

#include <stddef.h>

static inline const muster_backend *backends_at(const void *backends,
                                                size_t stride, size_t i)
{
    const void *at = (const char *)backends + i * stride;

    return at;
}

static inline const muster_backend *
backends_listed(const muster_balancer_update *update, size_t i)
{
    return backends_at(update->backends, update->backend_size, i);
}

static inline const muster_backend *
backends_ready(const muster_build_args *args, size_t i)
{
    return backends_at(args->ready, args->backend_size, i);
}

#endif
