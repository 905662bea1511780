/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/hosts, as c-ares reads it. */
#ifndef MUSTER_RESOLVERS_DNS_HOSTS_H
#define MUSTER_RESOLVERS_DNS_HOSTS_H

#include <muster/status.h>

#include <stddef.h>

#include "answer.h"

/* The addresses of name in /etc/hosts: *ret_n may be 0. *ret_addresses is the
 * caller's (free()), NULL when there is none. Thread: any; reads a file.
 * MUSTER_NOMEM. */
muster_status muster__dns_hosts_find(const char *name,
                                     muster__dns_address **ret_addresses,
                                     size_t *ret_n);

#endif
