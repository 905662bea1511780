/* SPDX-License-Identifier: Apache-2.0 */
/* What a dns_server says of a name, in a line. */
#ifndef MUSTER_TESTS_DNS_ZONE_H
#define MUSTER_TESTS_DNS_ZONE_H

#include "dns_server.h"

enum { DNS_ZONE_RECORDS_MAX = 64 };

/* name has these addresses ("10.0.0.1 fd00::1"). A family that is not among
 * them has no records, which is said with a SOA record of ttl. */
void dns_zone_addresses(dns_server *server, const char *name,
                        const char *addresses, uint32_t ttl);

/* There is no such name, says a SOA record of ttl. */
void dns_zone_nothing(dns_server *server, const char *name, uint32_t ttl);

/* Every question about name ends so: an rcode, or a rule (whose name and type
 * are set). */
void dns_zone_failure(dns_server *server, const char *name, unsigned rcode);
void dns_zone_rule(dns_server *server, const char *name, dns_rule rule);

#endif
