/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_RESOLVER_H
#define MUSTER_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include <muster/endpoint.h>
#include <muster/log.h>
#include <muster/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A resolver turns a target into a list of endpoints and keeps it current. The
 * core gives every resolver, ours or a stranger's: cooldown, backoff with
 * jitter, duplicate suppression, keep-last-good, the empty-list policy, and
 * sharing (two channels with equal targets have one resolver instance).
 *
 * Life: create, start, any number of refresh and applied, stop, free. All calls
 * come one at a time on the control thread, unless the class says MAY_BLOCK:
 * then they come one at a time on a thread of the instance's own. */

typedef void (*muster_task_fn)(void *arg);

enum { MUSTER_READABLE = 1 << 0, MUSTER_WRITABLE = 1 << 1 };

/* fd is ready for events (a mask of MUSTER_READABLE and MUSTER_WRITABLE). Error
 * and hang-up arrive as both. */
typedef void (*muster_watch_fn)(void *arg, int fd, unsigned events);

enum {
    /* Emptiness is the source's considered word ("no such name"), not a blip:
     * a hold of the empty-list policy is ended early. */
    MUSTER_UPDATE_EMPTY_IS_FINAL = 1 << 0
};

/* The whole list, replacing the one before. */
typedef struct muster_update {
    uint32_t struct_size;
    uint32_t endpoint_size; /* sizeof(muster_endpoint): the stride */
    const muster_endpoint *endpoints;
    size_t n_endpoints;
    const char *service_config; /* gRPC service config JSON, or NULL */
    uint32_t flags;             /* MUSTER_UPDATE_..., no other bits */
    uint32_t reserved;          /* 0 */
} muster_update;

/* A change to the list. Of removed endpoints only the identity is read. An
 * endpoint that is unknown is added; one that is known gets the new weight,
 * priority, zone and attributes. Removing what is unknown does nothing. */
typedef struct muster_delta {
    uint32_t struct_size;
    uint32_t endpoint_size;
    const muster_endpoint *upserted;
    size_t n_upserted;
    const muster_endpoint *removed;
    size_t n_removed;
} muster_delta;

/* What the core does for a resolver. A plugin calls the core only through this
 * table, so its .so has no undefined muster symbol and a test can pass a fake.
 * Every call is ignored (and answers MUSTER_CLOSED where it answers) after
 * stopped(). ctx is the env's. */
typedef struct muster_resolver_host {
    uint32_t struct_size;

    /* Thread: any. Copies update before it returns. Answers only what the
     * calling thread can see: MUSTER_OK, MUSTER_INVAL (malformed),
     * MUSTER_NOMEM, MUSTER_CLOSED. On success *ret_sequence (may be NULL) is
     * the number that applied() will name. */
    muster_status (*report)(void *ctx, const muster_update *update,
                            uint64_t *ret_sequence);

    /* Thread: any. As report(), for a change. */
    muster_status (*report_delta)(void *ctx, const muster_delta *delta,
                                  uint64_t *ret_sequence);

    /* Thread: any. The source failed: code says how, message (copied) says on
     * what and why. The last good list stays in use. The core calls refresh()
     * when its backoff allows; MUSTER_REFUSED is retried every 250 ms for the
     * first 5 s. */
    void (*fail)(void *ctx, muster_status code, const char *message);

    /* Thread: any. Runs fn(arg) once, where the class's calls run, after at
     * least delay_ms (monotonic). *ret_timer (may be NULL) is never 0. Pending
     * timers are dropped at stopped(). MUSTER_NOMEM, MUSTER_CLOSED. */
    muster_status (*call_later)(void *ctx, uint64_t delay_ms, muster_task_fn fn,
                                void *arg, uint64_t *ret_timer);

    /* Thread: where the class's calls run. When it returns, the timer's fn has
     * run or will not. An unknown number is ignored. */
    void (*cancel)(void *ctx, uint64_t timer);

    /* Thread: control only (so not for MAY_BLOCK: MUSTER_UNSUPPORTED). Watches
     * fd, one watch an fd; a second call changes events, fn and arg; events 0
     * stops, and when it returns the number may be closed and reused. The fd
     * stays the plugin's. MUSTER_INVAL when the fd cannot be polled. */
    muster_status (*watch)(void *ctx, int fd, unsigned events,
                           muster_watch_fn fn, void *arg);

    /* Thread: any. Runs fn(arg) soon, where the class's calls run. Not run
     * after stopped(). MUSTER_NOMEM, MUSTER_CLOSED. */
    muster_status (*post)(void *ctx, muster_task_fn fn, void *arg);

    /* Thread: any. After stop(): the plugin holds no thread, fd or callback of
     * ours any more. free() follows. More than one call is ignored. */
    void (*stopped)(void *ctx);

    /* Thread: any. Logs with the plugin's name in front; message is copied. */
    void (*log)(void *ctx, muster_log_level level, const char *message);

    /* Thread: any. Milliseconds on a monotonic clock (virtual in tests). */
    uint64_t (*now_ms)(void *ctx);

    /* Thread: any. 64 random bits (not for keys; reproducible in tests). */
    uint64_t (*random)(void *ctx);
} muster_resolver_host;

/* What an instance is made from. The env and all in it stay valid until free()
 * returns. */
typedef struct muster_resolver_env {
    uint32_t struct_size;
    uint32_t n_options;
    const muster_resolver_host *host;
    void *ctx;             /* first argument of every host call */
    void *shared;          /* what the plugin's init() gave; else NULL */
    const char *uri;       /* the canonical target, for messages */
    const char *authority; /* "8.8.8.8:53" in dns://8.8.8.8:53/x; else "" */
    const char *path;      /* without the leading "/"; percent-decoded */
    const muster_attribute *options; /* the class's own, checked for name */
} muster_resolver_env;

/* An option that the class knows. The core refuses others and lists these. */
typedef struct muster_option_info {
    const char *name;
    const char *summary; /* "seconds between two looks" */
} muster_option_info;

enum {
    /* The class's functions may block: they run on a thread of their own. */
    MUSTER_RESOLVER_MAY_BLOCK = 1 << 0,
    /* "scheme:PATH" keeps the path's leading "/" (file:///etc/x is /etc/x). */
    MUSTER_RESOLVER_ABSOLUTE_PATH = 1 << 1
};

/* What a resolver implements. */
typedef struct muster_resolver_class {
    uint32_t struct_size;
    uint32_t flags;                    /* MUSTER_RESOLVER_..., no other bits */
    const char *scheme;                /* "dns": [a-z][a-z0-9+.-]{0,31} */
    const muster_option_info *options; /* n_options of them, or NULL */
    uint32_t n_options;
    uint32_t cooldown_ms; /* least time between two refresh(); 0: 1000 */
    const char *empty;    /* default of the empty option; NULL: "accept" */

    /* Must. Checks the env and makes an instance; starts nothing. On failure
     * leaves *ret_self untouched and fills err (never NULL). */
    muster_status (*create)(const muster_resolver_env *env, void **ret_self,
                            muster_error *err);

    /* Must. Begins to work. */
    void (*start)(void *self);

    /* May. A hint that the answer looks stale; the core rate-limits it. */
    void (*refresh)(void *self);

    /* May. The report with that sequence number was accepted (MUSTER_OK) or
     * refused (MUSTER_INVAL and others), so a poller can back off. */
    void (*applied)(void *self, uint64_t sequence, muster_status status);

    /* May. Begins to stop; must not block. The plugin calls stopped() when it
     * is done, here or later, from any thread. NULL: there is nothing to stop,
     * and free() follows at once. */
    void (*stop)(void *self);

    /* Must. Releases self. No call of ours is running or will come. */
    void (*free)(void *self);

    /* May. Thread: any, also before init() and without an instance; must not
     * block, and answers the same for the same path. Writes what TLS and
     * :authority call the target with that path ("web.prod:50051"),
     * zero-terminated, into buffer, whose size is at least 512 bytes. It is
     * used where neither the endpoint nor the channel's options have a name.
     * Anything but MUSTER_OK, and an empty name, say that there is none. NULL,
     * and no name: the endpoint's address. */
    muster_status (*authority)(const char *path, char *buffer, size_t size);
} muster_resolver_class;

/* Shorthands for the commonest host calls. */
static inline muster_status muster_report(const muster_resolver_env *env,
                                          const muster_endpoint *endpoints,
                                          size_t n_endpoints)
{
    muster_update update;

    update.struct_size = (uint32_t)sizeof update;
    update.endpoint_size = (uint32_t)sizeof *endpoints;
    update.endpoints = endpoints;
    update.n_endpoints = n_endpoints;
    update.service_config = NULL;
    update.flags = 0;
    update.reserved = 0;
    return env->host->report(env->ctx, &update, NULL);
}

static inline void muster_fail(const muster_resolver_env *env,
                               muster_status code, const char *message)
{
    env->host->fail(env->ctx, code, message);
}

static inline muster_status muster_call_later(const muster_resolver_env *env,
                                              uint64_t delay_ms,
                                              muster_task_fn fn, void *arg)
{
    return env->host->call_later(env->ctx, delay_ms, fn, arg, NULL);
}

/* The value of the option called name, or fallback when it was not given. */
static inline const char *muster_option(const muster_resolver_env *env,
                                        const char *name, const char *fallback)
{
    for (uint32_t i = 0; i < env->n_options; i++) {
        const char *key = env->options[i].key;
        const char *at = name;

        while (*key != '\0' && *key == *at) {
            key++;
            at++;
        }
        if (*key == *at) {
            return env->options[i].value;
        }
    }
    return fallback;
}

#ifdef __cplusplus
}
#endif

#endif
