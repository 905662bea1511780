/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a target. */
#ifndef MUSTER_RESOLVERS_DNS_OPTIONS_H
#define MUSTER_RESOLVERS_DNS_OPTIONS_H

#include <muster/resolver.h>

#include <stdbool.h>
#include <stdint.h>

#include "packet.h"

/* A choice that was not made: the kind of server decides. */
typedef enum muster__dns_choice {
    MUSTER__DNS_BY_SERVER,
    MUSTER__DNS_ON,
    MUSTER__DNS_OFF
} muster__dns_choice;

typedef enum muster__dns_kind {
    MUSTER__DNS_KIND_AUTO,
    MUSTER__DNS_KIND_A,
    MUSTER__DNS_KIND_AAAA,
    MUSTER__DNS_KIND_BOTH,
    MUSTER__DNS_KIND_SRV
} muster__dns_kind;

typedef struct muster__dns_options {
    muster__dns_kind kind;
    uint64_t ttl_min_ms;
    uint64_t ttl_max_ms;
    uint64_t refresh_ms;     /* 0: by time to live */
    unsigned jitter_percent; /* taken off an interval at most */
    uint64_t hold_nxdomain_ms;
    uint64_t hold_servfail_ms;
    uint64_t hold_refused_ms;
    uint64_t hold_timeout_ms;
    muster__dns_choice nxdomain_all;
    muster__dns_choice search;
    muster__dns_choice hosts;
    bool has_service_config;
    uint32_t timeout_ms; /* of one server, once */
    uint32_t tries;
    const char *resolv_conf; /* the env's */
} muster__dns_options;

/* The options there are, for the class. */
enum { MUSTER__DNS_N_OPTIONS = 16 };
extern const muster_option_info muster__dns_option_infos[MUSTER__DNS_N_OPTIONS];

/* Reads them. MUSTER_INVAL: err names the option and what is accepted. */
muster_status muster__dns_options_read(const muster_resolver_env *env,
                                       muster__dns_options *ret_options,
                                       muster_error *err);

/* How long a failure of that kind counts as a passing one. */
uint64_t muster__dns_options_hold_ms(const muster__dns_options *options,
                                     muster__dns_trouble trouble);

#endif
