/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of retries in grpc-retry-pushback-ms: gRFC A6. */
#ifndef MUSTER_CORE_GRPC_PUSHBACK_H
#define MUSTER_CORE_GRPC_PUSHBACK_H

#include <stddef.h>
#include <stdint.h>

typedef enum muster__pushback_kind {
    MUSTER__PUSHBACK_NONE = 0, /* it says nothing */
    MUSTER__PUSHBACK_STOP,     /* not to retry */
    MUSTER__PUSHBACK_DELAY     /* after exactly delay_ms */
} muster__pushback_kind;

typedef struct muster__pushback {
    muster__pushback_kind kind;
    uint32_t delay_ms;
} muster__pushback;

/* Of length bytes of its value: a number of 32 bits, signed and without
 * leading zeros. A negative one, and whatever is none, says not to retry. */
muster__pushback muster__pushback_parse(const char *text, size_t length);

#endif
