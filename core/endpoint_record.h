/* SPDX-License-Identifier: Apache-2.0 */
/* Making and comparing endpoint records (muster__endpoint). */
#ifndef MUSTER_CORE_ENDPOINT_RECORD_H
#define MUSTER_CORE_ENDPOINT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "endpoint_set.h"

/* A record with one reference, which is the caller's; NULL: out of memory. data
 * is one of a muster__list: checked and canonical. */
muster__endpoint *muster__endpoint_create(const muster_endpoint *data,
                                          uint64_t hash);

/* Address i of 1 + n_more_addresses. */
static inline const char *
muster__endpoint_address(const muster_endpoint *endpoint, uint32_t i)
{
    return i == 0 ? endpoint->address : endpoint->more_addresses[i - 1];
}

/* Whether both have the same addresses, in any order, and host name. */
bool muster__endpoint_same_identity(const muster_endpoint *a,
                                    const muster_endpoint *b);

/* Whether weight, priority, zone and attributes are equal. */
bool muster__endpoint_same_details(const muster_endpoint *a,
                                   const muster_endpoint *b);

#endif
