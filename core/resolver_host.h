/* SPDX-License-Identifier: Apache-2.0 */
/* What the core does for a resolver: the table in its env. The ctx of its calls
 * is a handle (resolver_handle.h). */
#ifndef MUSTER_CORE_RESOLVER_HOST_H
#define MUSTER_CORE_RESOLVER_HOST_H

#include <muster/resolver.h>

extern const muster_resolver_host muster__resolver_host;

#endif
