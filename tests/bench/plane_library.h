/* SPDX-License-Identifier: Apache-2.0 */
/* The plane behind a shared library's border, as a channel has it. */
#ifndef MUSTER_TESTS_PLANE_LIBRARY_H
#define MUSTER_TESTS_PLANE_LIBRARY_H

#include <stdint.h>

#include <muster/channel.h>

MUSTER_API void *plane_library_create(uint32_t n_endpoints);
MUSTER_API muster_status plane_library_pick(void *self,
                                            muster_lease *ret_lease);
MUSTER_API void plane_library_finish(muster_lease *lease);
MUSTER_API void plane_library_destroy(void *self);

/* Removes and adds one endpoint, publishes, polls. */
MUSTER_API void plane_library_change(void *self);

#endif
