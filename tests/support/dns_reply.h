/* SPDX-License-Identifier: Apache-2.0 */
/* The reply that a dns_server's rule makes of a query. */
#ifndef MUSTER_TESTS_DNS_REPLY_H
#define MUSTER_TESTS_DNS_REPLY_H

#include "dns_server.h"

/* Writes the reply to query, whose question was read from its bytes, into
 * reply, which has room for DNS_MESSAGE_SIZE. Returns its size; 0: no reply. */
size_t dns_reply_write(const dns_rule *rule, const uint8_t *query,
                       const dns_question *question, dns_transport transport,
                       uint8_t *reply);

#endif
