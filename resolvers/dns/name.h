/* SPDX-License-Identifier: Apache-2.0 */
/* What a target asks for: a host name or an address, and a port. */
#ifndef MUSTER_RESOLVERS_DNS_NAME_H
#define MUSTER_RESOLVERS_DNS_NAME_H

#include <muster/status.h>

#include <stdbool.h>
#include <stddef.h>

#include <address.h>

#include "answer.h"

enum { MUSTER__DNS_PORT_SIZE = 6 };

typedef struct muster__dns_name {
    /* Lower case, without a trailing dot. Empty: literal is the answer. */
    char text[MUSTER__DNS_NAME_SIZE];
    char port[MUSTER__DNS_PORT_SIZE]; /* "443" when none was given */
    bool has_port;
    bool is_absolute; /* it had a trailing dot: no search domain fits */
    bool is_service;  /* begins with "_", as in _grpc._tcp.web.prod */
    char literal[MUSTER__ADDRESS_SIZE]; /* "10.0.0.1:443" */
} muster__dns_name;

/* Reads NAME[:PORT], ADDRESS[:PORT] or [ADDRESS]:PORT. MUSTER_INVAL: err names
 * the part that is wrong and what is accepted. */
muster_status muster__dns_name_parse(const char *path,
                                     muster__dns_name *ret_name,
                                     muster_error *err);

/* Whether text is a host name that can be asked for: labels of letters, digits,
 * "-" and "_", 63 bytes each, 253 in all (RFC 1035 section 2.3.4). */
bool muster__dns_name_is_valid(const char *text);

/* text (of size MUSTER__DNS_NAME_SIZE) becomes name in domain; "" is the root.
 * False when that is too long or is no name. */
bool muster__dns_name_join(const char *name, const char *domain, char *text);

/* The domain of a service: "web.prod" in "_grpc._tcp.web.prod". */
const char *muster__dns_name_skip_labels(const char *name);

#endif
