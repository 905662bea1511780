/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a target. */
#ifndef MUSTER_RESOLVERS_CONSUL_OPTIONS_H
#define MUSTER_RESOLVERS_CONSUL_OPTIONS_H

#include <muster/resolver.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum muster__consul_consistency {
    MUSTER__CONSUL_DEFAULT,
    MUSTER__CONSUL_STALE,
    MUSTER__CONSUL_CONSISTENT
} muster__consul_consistency;

/* Texts are the env's; NULL: not given. */
typedef struct muster__consul_options {
    const char *dc;
    const char *tag; /* several are separated by commas */
    const char *near;
    const char *filter;
    const char *ns;
    const char *partition;
    const char *address; /* a key of the tagged addresses */
    const char *token_file;
    const char *cache; /* a folder */
    bool is_passing;   /* the agent leaves out what does not pass */
    bool is_cached;
    bool is_tls; /* of a target that names its agent */
    muster__consul_consistency consistency;
    uint64_t wait_ms;
    uint64_t max_backoff_ms;
    uint64_t cache_age_ms;
    uint32_t limit;           /* 0: none */
    uint32_t max_connections; /* 0: not given */
} muster__consul_options;

/* The options there are, for the class. */
enum { MUSTER__CONSUL_N_OPTIONS = 19 };
extern const muster_option_info
    muster__consul_option_infos[MUSTER__CONSUL_N_OPTIONS];

/* Reads them. MUSTER_INVAL: err names the option and what is accepted. */
muster_status muster__consul_options_read(const muster_resolver_env *env,
                                          bool is_tls,
                                          muster__consul_options *ret_options,
                                          muster_error *err);

#endif
