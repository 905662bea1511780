/* SPDX-License-Identifier: Apache-2.0 */
/* What a dns_server says of a name, in a line. */
#include "dns_zone.h"

#include <criterion/criterion.h>
#include <string.h>

static void put_family(dns_server *server, const char *name,
                       const char *addresses, uint32_t ttl, bool is_ipv6)
{
    dns_record records[DNS_ZONE_RECORDS_MAX];
    char copy[4096];
    char *rest = NULL;
    size_t n = 0;

    cr_assert_lt(strlen(addresses), sizeof copy);
    memcpy(copy, addresses, strlen(addresses) + 1);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        if ((strchr(word, ':') != NULL) == is_ipv6) {
            cr_assert_lt(n, DNS_ZONE_RECORDS_MAX);
            records[n++] = is_ipv6 ? dns_aaaa(word, ttl) : dns_a(word, ttl);
        }
    }
    if (n == 0) {
        records[n++] = dns_soa(ttl, ttl);
    }
    dns_server_answer(server, name, is_ipv6 ? DNS_TYPE_AAAA : DNS_TYPE_A,
                      records, n);
}

void dns_zone_addresses(dns_server *server, const char *name,
                        const char *addresses, uint32_t ttl)
{
    put_family(server, name, addresses, ttl, false);
    put_family(server, name, addresses, ttl, true);
}

void dns_zone_rule(dns_server *server, const char *name, dns_rule rule)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_SRV,
                                     DNS_TYPE_TXT};

    rule.name = name;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        rule.type = types[i];
        dns_server_put(server, &rule);
    }
}

void dns_zone_nothing(dns_server *server, const char *name, uint32_t ttl)
{
    const dns_record soa = dns_soa(ttl, ttl);

    dns_zone_rule(server, name,
                  (dns_rule){.rcode = DNS_RCODE_NXDOMAIN,
                             .records = &soa,
                             .n_records = 1});
}

void dns_zone_failure(dns_server *server, const char *name, unsigned rcode)
{
    dns_zone_rule(server, name, (dns_rule){.rcode = rcode});
}
