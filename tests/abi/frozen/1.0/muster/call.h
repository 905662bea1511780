/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_CALL_H
#define MUSTER_CALL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    /* Wait for an endpoint through TRANSIENT_FAILURE, to the deadline (gRPC's
     * doc/wait-for-ready.md). Without it a call is fail-fast, unless the
     * channel's service config says otherwise of its method. */
    MUSTER_CALL_WAIT_FOR_READY = 1 << 0,
    /* Be fail-fast, whatever the service config says of the method. */
    MUSTER_CALL_FAIL_FAST = 1 << 1,
    /* Neither retry nor hedge, whatever the service config says of the
     * method. */
    MUSTER_CALL_NO_RETRY = 1 << 2
};

/* "No deadline", wherever a deadline or time-out is taken. */
#define MUSTER_FOREVER UINT64_MAX

/* Finds a header of the call; NULL when it has none of that (lower-case) name.
 * Thread: the picking one, inside the pick. Must not block. */
typedef const char *(*muster_header_fn)(void *arg, const char *name);

/* What is known of a call before it is placed. Borrowed for the pick. All zero
 * but struct_size is a valid fail-fast call. */
typedef struct muster_call_info {
    uint32_t struct_size;
    uint32_t flags;       /* MUSTER_CALL_... */
    const char *method;   /* "/pkg.Service/Method", or NULL */
    const char *hash_key; /* for hashing policies, or NULL */
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
    uint32_t attempt;     /* 0 for the first, 1 for the first retry ... */
    uint32_t n_tried;
    const uint64_t *tried;   /* ids of endpoints already tried by this call */
    muster_header_fn header; /* or NULL */
    void *header_arg;
} muster_call_info;

enum {
    MUSTER_OUTCOME_FROM_SERVER = 1 << 0, /* the status came over the wire */
    /* No call was made: the pick is given back, and says nothing of the
     * endpoint. The status is 14 (UNAVAILABLE). */
    MUSTER_OUTCOME_GIVEN_BACK = 1 << 1
};

/* How a call ended, for policies that learn. All zero but struct_size is a
 * success of which nothing more is known. */
typedef struct muster_outcome {
    uint32_t struct_size;
    uint32_t flags; /* MUSTER_OUTCOME_... */
    int status;     /* grpc_status_code; 0 is OK */
    uint32_t load_report_size;
    const void *load_report; /* ORCA bytes (gRFC A51), or NULL; borrowed */
    uint64_t latency_ns;     /* 0: not measured */
    uint64_t bytes_sent;
    uint64_t bytes_received;
} muster_outcome;

#ifdef __cplusplus
}
#endif

#endif
