/* SPDX-License-Identifier: Apache-2.0 */
/* A host at the other end of a cable that a test pulls: a network namespace,
 * and a pair of interfaces that leads there. The test gets a namespace of its
 * own, too, so that it changes nothing of the machine's network. The kernel
 * takes all of it away when the last process in it has ended, whichever way.
 *
 * Needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN, and the command ip of
 * iproute2. */
#ifndef MUSTER_TESTS_FAR_HOST_H
#define MUSTER_TESTS_FAR_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "backend.h"

#define FAR_HOST_ADDRESS "10.77.0.2"

/* Descriptors of namespaces. */
typedef struct far_host {
    int home; /* where the thread came from */
    int near; /* where it is now */
    int far;
} far_host;

/* Moves the calling thread, and what threads and processes it starts from then
 * on, to the near end, which has a loopback of its own. False: this machine
 * does not let it, and reason says why. */
bool far_host_create(far_host *ret_host, char *reason, size_t size);

/* Moves the calling thread back. */
void far_host_destroy(far_host *self);

/* As backend_start(), at the far end. */
bool far_host_start(const far_host *self, backend *ret_backend,
                    const char *const *flags);

/* Up or down, at the far end; at the near one, what is sent is lost and nobody
 * is told. False: it cannot be done. */
bool far_host_set_link(const far_host *self, bool is_up);

#endif
