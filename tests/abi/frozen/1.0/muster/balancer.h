/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_BALANCER_H
#define MUSTER_BALANCER_H

#include <stddef.h>
#include <stdint.h>

#include <muster/call.h>
#include <muster/endpoint.h>
#include <muster/log.h>
#include <muster/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A balancer chooses one READY endpoint a call. The core owns connections,
 * diffing and draining; a policy cannot drop a call in flight.
 *
 * Three speeds. On the control thread: create, update, want, destroy. On a
 * worker, one at a time per channel: build. On any thread, concurrently and
 * without blocking: pick and done.
 *
 * A policy reads time and randomness from its host and nowhere else, so the
 * same code runs in tests and simulation under a virtual clock. */

enum {
    MUSTER_BACKEND_EJECTED = 1
                             << 0, /* by set_ejected(): not in the READY view */
    MUSTER_BACKEND_UNHEALTHY = 1 << 1 /* its health check says NOT_SERVING */
};

/* An endpoint of the list, as a policy sees it. */
typedef struct muster_backend {
    uint64_t id; /* the same while the endpoint stays in the list; never 0 */
    const muster_endpoint *endpoint;
    void *state; /* the class's state_size bytes, zeroed at first, the
                    endpoint's while it stays in the list; or NULL */
    const char *last_failure; /* why it is not READY, or NULL */
    muster_connectivity connectivity;
    uint32_t flags;    /* MUSTER_BACKEND_...; others are to be ignored */
    uint32_t position; /* the resolver's order: less is earlier. What came by
                          deltas stands behind the last full list. A list in
                          another order alone is no change: its positions show
                          at the next update */
    /* How much there is of *endpoint. A policy that gives its children other
     * endpoints, of other weights say, says sizeof(muster_endpoint), for the
     * children may be newer than it. */
    uint32_t endpoint_size;
} muster_backend;

/* Every endpoint of the list. Borrowed for the call. */
typedef struct muster_balancer_update {
    uint32_t struct_size;
    uint32_t backend_size; /* the stride */
    const muster_backend *backends;
    size_t n_backends;
} muster_balancer_update;

/* What a table is built from: the READY view, at least one unless the class
 * says PICKS_WHEN_EMPTY. Those in it are READY, with no flags but after
 * include_unfit(). Borrowed for the call; states stay valid as long as the
 * table. */
typedef struct muster_build_args {
    uint32_t struct_size;
    uint32_t backend_size;
    const muster_backend *ready;
    size_t n_ready;
} muster_build_args;

typedef struct muster_pick_args {
    uint32_t struct_size;
    uint32_t n_ready; /* indices below it are valid; those of build()'s ready */
    uint32_t shard;   /* a small number that two threads rarely share */
    uint32_t repick;  /* 0; then counts picks given back since the call began */
    const muster_call_info *call; /* never NULL */
} muster_pick_args;

typedef enum muster_verdict {
    MUSTER_PICK_INDEX = 0,   /* result->index is the READY endpoint */
    MUSTER_PICK_QUEUE = 1,   /* wait for the next picker */
    MUSTER_PICK_CONNECT = 2, /* want endpoint result->id from now on, whatever
                                want() says of it, and wait */
    MUSTER_PICK_FAIL = 3     /* fail the call, wait-for-ready or not */
} muster_verdict;

/* Zeroed but for struct_size. What is not the verdict's is ignored. */
typedef struct muster_pick_result {
    uint32_t struct_size;
    uint32_t index;      /* for MUSTER_PICK_INDEX */
    uint64_t id;         /* for MUSTER_PICK_CONNECT */
    int status;          /* for MUSTER_PICK_FAIL: a grpc_status_code; those that
                            are an application's become INTERNAL (gRFC A54) */
    const char *message; /* for MUSTER_PICK_FAIL: valid until destroy() */
} muster_pick_result;

typedef struct muster_child muster_child; /* a child policy, made by the host */

/* What the core does for a policy. ctx is the env's. */
typedef struct muster_balancer_host {
    uint32_t struct_size;

    /* Thread: any. Nanoseconds on a monotonic clock. */
    uint64_t (*now_ns)(void *ctx);

    /* Thread: any. 64 random bits. */
    uint64_t (*random)(void *ctx);

    /* Thread: control. Runs fn(arg) once on the control thread, after at least
     * delay_ms. *ret_timer (may be NULL) is never 0. Dropped at destroy(). */
    muster_status (*call_later)(void *ctx, uint64_t delay_ms,
                                void (*fn)(void *arg), void *arg,
                                uint64_t *ret_timer);

    /* Thread: control. When it returns, fn has run or will not. */
    void (*cancel)(void *ctx, uint64_t timer);

    /* Thread: any. Asks for want() and build(), not update(), to be called
     * again soon. */
    void (*republish)(void *ctx);

    /* Thread: control. An ejected endpoint leaves the READY view and keeps its
     * connection. An unknown id is ignored. A child's call is the parent's. */
    void (*set_ejected)(void *ctx, uint64_t id, int is_ejected);

    /* Thread: any. The list looks stale; the resolver's cooldown applies. */
    void (*request_resolution)(void *ctx);

    /* Thread: control. A child policy by name, with its own states. The child
     * is the caller's until child_destroy(). MUSTER_NOTFOUND, MUSTER_INVAL. */
    muster_status (*child_create)(void *ctx, const char *policy,
                                  const char *config_json,
                                  muster_child **ret_child, muster_error *err);

    /* Thread: control. Gives the child its endpoints: a subset of ours, by id.
     * The states in it are replaced by the child's. */
    void (*child_update)(muster_child *child,
                         const muster_balancer_update *update);

    /* Thread: control. The child's want(), of a subset of ours as for
     * child_update(); all 1 when it has none. */
    void (*child_want)(muster_child *child,
                       const muster_balancer_update *update,
                       uint8_t *ret_wanted);

    /* Thread: build's. A table of the child over a subset of ready; the indices
     * that child_pick() answers are those of args->ready. */
    muster_status (*child_build)(muster_child *child,
                                 const muster_build_args *args,
                                 void **ret_table, muster_error *err);

    /* Thread: any. args->n_ready must be that of the table. */
    muster_verdict (*child_pick)(muster_child *child, void *table,
                                 const muster_pick_args *args,
                                 muster_pick_result *result);

    /* Thread: any. Hands done() on. */
    void (*child_done)(muster_child *child, uint64_t id,
                       const muster_outcome *outcome);

    /* Thread: any that may destroy the parent's table. NULL is ignored. */
    void (*child_table_destroy)(muster_child *child, void *table);

    /* Thread: control. NULL is ignored. */
    void (*child_destroy)(muster_child *child);

    /* Thread: any. Logs with the policy's name in front; message is copied. */
    void (*log)(void *ctx, muster_log_level level, const char *message);

    /* Thread: control. Adds delta to the channel's counter of that name and
     * labels (in any order), which muster_channel_dump_json() shows. Name and
     * labels are copied. A counter lives as long as the channel; when memory is
     * short nothing is counted. */
    void (*count)(void *ctx, const char *name, const muster_attribute *labels,
                  size_t n_labels, uint64_t delta);

    /* Thread: control, inside create(). For good: the READY view has endpoints
     * that are EJECTED or UNHEALTHY, too, while they are connected; the flags
     * in build_args say which, and leaving those out is the caller's business.
     * One that is in the view makes the channel READY, so it should be used
     * when there is no other. A child's call is the parent's, which must hand
     * such endpoints on. */
    void (*include_unfit)(void *ctx);
} muster_balancer_host;

typedef struct muster_balancer_env {
    uint32_t struct_size;
    uint32_t reserved;
    const muster_balancer_host *host; /* valid until destroy() returns */
    void *ctx;
    void *shared;            /* what the plugin's init() gave; else NULL */
    const char *config_json; /* a JSON object; never NULL; "{}" when none */
} muster_balancer_env;

enum {
    /* Gets endpoints of every priority; others see only the best priority that
     * has a READY endpoint. */
    MUSTER_BALANCER_PRIORITY_AWARE = 1 << 0,
    /* Heeds muster_endpoint.weight. */
    MUSTER_BALANCER_USES_WEIGHTS = 1 << 1,
    /* build() and pick() are called with no READY endpoint too (to answer
     * CONNECT or FAIL). Others are not asked, and QUEUE means the same then:
     * the call waits or fails by the channel's state. Nobody is asked before
     * the first list. */
    MUSTER_BALANCER_PICKS_WHEN_EMPTY = 1 << 2,
    /* No health check is made while this is the channel's policy, whatever its
     * service config says (gRFC A17: pick_first). A child's is not heeded. */
    MUSTER_BALANCER_IGNORES_HEALTH = 1 << 3
};

/* What a policy implements. */
typedef struct muster_balancer_class {
    uint32_t struct_size;
    uint32_t flags;      /* MUSTER_BALANCER_..., no other bits */
    const char *name;    /* "round_robin": [a-z][a-z0-9_]{0,63} */
    uint32_t state_size; /* bytes of state a subchannel; 0: none, max. 65536 */
    uint32_t reserved;   /* 0 */

    /* Must. Thread: control. Validates the configuration and makes an instance
     * that lives across updates. On failure leaves *ret_self untouched and
     * fills err (never NULL), naming the JSON path. Unknown keys are ignored.
     */
    muster_status (*create)(const muster_balancer_env *env, void **ret_self,
                            muster_error *err);

    /* May. Thread: control. The list, a state, a health or a failure changed.
     */
    void (*update)(void *self, const muster_balancer_update *update);

    /* May. Thread: control. Sets ret_wanted[i] to 1 for the endpoints to keep
     * connected and 0 for the others; NULL: all. */
    void (*want)(void *self, const muster_balancer_update *update,
                 uint8_t *ret_wanted);

    /* May. Thread: a worker, one at a time. Makes the table for a new READY
     * view. NULL: picks need none, and a change costs O(1). On failure leaves
     * *ret_table untouched and fills err; the old table serves on. */
    muster_status (*build)(void *self, const muster_build_args *args,
                           void **ret_table, muster_error *err);

    /* Must. Thread: any, concurrently; must not block, call a lock or allocate.
     * table is build()'s, NULL when the class has none. */
    muster_verdict (*pick)(void *self, void *table,
                           const muster_pick_args *args,
                           muster_pick_result *result);

    /* May. Thread: any; as pick(). A call that was placed on endpoint id ended;
     * state is the endpoint's. Also called for picks given back, with the flag
     * GIVEN_BACK: one done() for each pick that answered an index. When the
     * endpoints that a policy picks again and again are gone, or are among the
     * call's `tried` while others are not, the core takes another: of that call
     * it hears no more. Not called for calls of before a change of policy. */
    void (*done)(void *self, uint64_t id, void *state,
                 const muster_outcome *outcome);

    /* Must when there is build. Thread: any. No pick() uses it any more. */
    void (*table_destroy)(void *self, void *table);

    /* Must. Thread: control. No call of ours is running or will come; all
     * tables are destroyed. */
    void (*destroy)(void *self);
} muster_balancer_class;

#ifdef __cplusplus
}
#endif

#endif
