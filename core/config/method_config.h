/* SPDX-License-Identifier: Apache-2.0 */
/* What a service config says of methods, found by a call's path. */
#ifndef MUSTER_CORE_CONFIG_METHOD_CONFIG_H
#define MUSTER_CORE_CONFIG_METHOD_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "problems.h"
#include "retry_config.h"

/* One methodConfig, immutable. */
typedef struct muster__method_config {
    uint64_t timeout_ns;         /* 0: none */
    uint64_t max_request_bytes;  /* UINT64_MAX: no limit */
    uint64_t max_response_bytes; /* UINT64_MAX: no limit */
    bool says_wait_for_ready;    /* whether the next one means something */
    bool is_wait_for_ready;
    bool has_retry; /* never both */
    bool has_hedging;
    muster__retry_policy retry;
    muster__hedging_policy hedging;
} muster__method_config;

/* All methodConfigs and the names they have. All zero: there are none. */
typedef struct muster__methods {
    muster__method_config *items;
    size_t n;
    json_t *names; /* "/service/method", "/service/" or "": its number */
} muster__methods;

/* Reads the array. False: a problem was added. In any case *methods is to be
 * given to muster__methods_fini(). Thread: any one. */
bool muster__methods_read(muster__problems *problems, const json_t *value,
                          muster__methods *methods);
void muster__methods_fini(muster__methods *methods);

/* By "/service/method": that method's, else its service's, else the default;
 * NULL when there is none. method may be NULL. Borrowed. Thread: any,
 * concurrently; wait-free. */
const muster__method_config *
muster__methods_find(const muster__methods *methods, const char *method);

#endif
