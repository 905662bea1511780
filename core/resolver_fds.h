/* SPDX-License-Identifier: Apache-2.0 */
/* The fds that one resolver instance watches. Thread: control, all of it. */
#ifndef MUSTER_CORE_RESOLVER_FDS_H
#define MUSTER_CORE_RESOLVER_FDS_H

#include "resolver_instance.h"

/* As watch() of the host table. */
muster_status muster__resolver_fds_set(muster__resolver_instance *instance,
                                       int fd, unsigned events,
                                       muster_watch_fn fn, void *arg);

/* Stops watching all of them. */
void muster__resolver_fds_clear(muster__resolver_instance *instance);

#endif
