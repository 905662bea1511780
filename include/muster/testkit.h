/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_TESTKIT_H
#define MUSTER_TESTKIT_H

#include <stddef.h>
#include <stdint.h>

#include <muster/balancer.h>
#include <muster/plugin.h>
#include <muster/resolver.h>
#include <muster/transport.h>

#ifdef __cplusplus
extern "C" {
#endif

/* libmuster-testkit.a: fake hosts for the authors of resolvers and balancers,
 * and a fake transport for those who test a channel. It needs nothing of
 * libmuster, no server and no test framework.
 *
 * Time is virtual: it stands still until the test moves it. Randomness comes
 * from the seed in the options, so a run can be repeated.
 *
 * A kit watches the rules of the ABI while it drives a plugin. A broken rule
 * does not stop the test: it becomes a line of the kit's violations. Destroying
 * a kit with violations that nobody has read prints them and aborts.
 *
 * Unless a function says otherwise, one thread drives a kit. */

/* ---- a host for one resolver instance ---- */

typedef struct muster_testkit_resolver muster_testkit_resolver;

/* All zero but struct_size and one of plugin and resolver_class is valid. All
 * of it is copied but for plugin and resolver_class. */
typedef struct muster_testkit_resolver_options {
    uint32_t struct_size;
    uint32_t n_options;
    const muster_plugin *plugin; /* init() and fini() are called; or NULL */
    const muster_resolver_class *resolver_class; /* NULL: the plugin's first */
    const char *uri;       /* NULL: made up from the parts below */
    const char *authority; /* NULL: "" */
    const char *path;      /* as the class gets it: decoded; NULL: "" */
    const muster_attribute *options; /* n_options; unknown ones are refused */

    /* What the plugin host's resolve() knows: key is a name, value one of its
     * addresses; a name may come several times. */
    const muster_attribute *names; /* n_names of them */
    uint32_t n_names;
    uint32_t reserved;
    uint64_t seed; /* of random() */
} muster_testkit_resolver_options;

/* What the resolver has told its host so far. */
typedef struct muster_testkit_resolver_seen {
    uint32_t struct_size;
    uint32_t flags;                   /* MUSTER_UPDATE_... of the last report */
    const muster_endpoint *endpoints; /* the list: last report and deltas */
    size_t n_endpoints;
    const char *service_config; /* of the last report, or NULL */
    uint64_t sequence;          /* of the last report or delta; 0: none yet */
    uint64_t n_reports;
    uint64_t n_deltas;
    const muster_endpoint *upserted; /* by the last delta */
    size_t n_upserted;
    const muster_endpoint *removed; /* by the last delta */
    size_t n_removed;
    uint64_t n_failures;
    muster_status failure;       /* code of the last fail(); else MUSTER_OK */
    const char *failure_message; /* of the last fail(); else "" */
    uint64_t n_logs;
    muster_log_level log_level; /* of the last log() */
    const char *log_message;    /* of the last log(); else "" */
    uint64_t n_timers;          /* pending now, posts included */
    uint64_t n_watches;         /* descriptors watched now */
    uint64_t n_refused;         /* reports and deltas of malformed endpoints:
                                   those that were answered MUSTER_INVAL */
    const char *refusal;        /* what was wrong with the last; else "" */
    uint64_t n_late_calls;      /* after stopped(); they are ignored */
} muster_testkit_resolver_seen;

/* Calls the plugin's init() and the class's create(). *ret_kit is the caller's.
 * MUSTER_INVAL when a class or an option is malformed or unknown; else what
 * they answer; err (may be NULL) says why. */
muster_status
muster_testkit_resolver_create(const muster_testkit_resolver_options *options,
                               muster_testkit_resolver **ret_kit,
                               muster_error *err);

/* Calls start(). */
void muster_testkit_resolver_start(muster_testkit_resolver *kit);

/* Calls refresh(), if the class has one, with no cooldown. */
void muster_testkit_resolver_refresh(muster_testkit_resolver *kit);

/* Calls applied(), if the class has one. The kit never does it by itself. */
void muster_testkit_resolver_applied(muster_testkit_resolver *kit,
                                     uint64_t sequence, muster_status status);

/* Runs what is due now (posts, timers) and the watches of descriptors that are
 * ready, until there is no more. Returns how many callbacks ran. */
unsigned muster_testkit_resolver_step(muster_testkit_resolver *kit);

/* Moves time by delay_ms, running every timer in between at its own time. */
unsigned muster_testkit_resolver_advance(muster_testkit_resolver *kit,
                                         uint64_t delay_ms);

/* Waits at most timeout_ms of real time for the next event from outside: a
 * descriptor that is ready, or a host call by another thread; then runs what
 * there is to run. Virtual time stands still. Returns how many events there
 * were; 0: none came. */
unsigned muster_testkit_resolver_poll(muster_testkit_resolver *kit,
                                      int timeout_ms);

/* Polls until the resolver has reported (reports and deltas) or failed at least
 * count times since it was created. MUSTER_TIMEOUT. */
muster_status muster_testkit_resolver_await(muster_testkit_resolver *kit,
                                            uint64_t count, int timeout_ms);

/* What was reported so far. Valid until the next call on kit. */
const muster_testkit_resolver_seen *
muster_testkit_resolver_get(muster_testkit_resolver *kit);

/* Virtual milliseconds since the kit was created. */
uint64_t muster_testkit_resolver_now_ms(muster_testkit_resolver *kit);

/* Makes host calls that can fail answer status from now on (the n_calls next
 * ones; UINT64_MAX: all), as when memory is short. */
void muster_testkit_resolver_break_host(muster_testkit_resolver *kit,
                                        muster_status status, uint64_t n_calls);

/* Calls stop() and no more, so that a test sees what happens before stopped().
 * May be left out. */
void muster_testkit_resolver_begin_stop(muster_testkit_resolver *kit);

/* Whether stopped() was called. Thread: any. */
int muster_testkit_resolver_is_stopped(muster_testkit_resolver *kit);

/* Stops: calls stop() unless that was done, runs posts, timers and watches
 * until stopped(), then calls free() and the plugin's fini(). Again: does
 * nothing. MUSTER_TIMEOUT after 5 s of real time (a violation): the instance is
 * then leaked. */
muster_status muster_testkit_resolver_stop(muster_testkit_resolver *kit);

/* The rules that were broken, a line each; "" when none. Valid until the next
 * call on kit. */
const char *muster_testkit_resolver_violations(muster_testkit_resolver *kit);

/* Stops if need be and releases kit. NULL is ignored. */
void muster_testkit_resolver_destroy(muster_testkit_resolver *kit);

/* ---- a host for one balancer policy ---- */

typedef struct muster_testkit_balancer muster_testkit_balancer;

/* All zero but struct_size and policy is valid. config_json is copied. */
typedef struct muster_testkit_balancer_options {
    uint32_t struct_size;
    uint32_t n_children;
    const muster_balancer_class *policy;
    const char *config_json; /* NULL: "{}" */
    void *shared;            /* as if the plugin's init() had given it */
    const muster_balancer_class *const *children; /* n_children classes, which
                                                     child_create() finds */
    uint64_t seed;                                /* of random() */
} muster_testkit_balancer_options;

/* What the policy and its children have asked of their host so far. */
typedef struct muster_testkit_balancer_seen {
    uint32_t struct_size;
    muster_log_level log_level; /* of the last log() */
    const char *log_message;    /* of the last log(); else "" */
    uint64_t n_logs;
    uint64_t n_builds;      /* publications: with a table, where there is one */
    uint64_t n_republished; /* calls of republish() */
    uint64_t n_resolution_requests;
    uint64_t n_timers;   /* pending now */
    uint64_t n_children; /* now */
} muster_testkit_balancer_seen;

/* A pick, checked: an index or id that does not exist is a violation. */
typedef struct muster_testkit_pick {
    muster_verdict verdict;
    uint32_t index;                  /* of INDEX: in the READY view */
    uint64_t id;                     /* of INDEX and CONNECT */
    const muster_endpoint *endpoint; /* that id's; NULL when it left the list */
    int status;                      /* of FAIL */
    const char *message;             /* of FAIL; never NULL then */
} muster_testkit_pick;

/* The policy as the data plane has it, to be called in a loop or by several
 * threads. Valid until the next publication. */
typedef struct muster_testkit_balancer_raw {
    const muster_balancer_class *policy;
    void *self;
    void *table;
    uint32_t n_ready;
} muster_testkit_balancer_raw;

/* Calls the class's create(). *ret_kit is the caller's. MUSTER_INVAL when the
 * class is malformed; else what create() answers; err (may be NULL) says why.
 */
muster_status
muster_testkit_balancer_create(const muster_testkit_balancer_options *options,
                               muster_testkit_balancer **ret_kit,
                               muster_error *err);

/* Replaces the list. Endpoints are copied; those of a known identity keep id
 * and state, others begin in state. The policy sees it at the next publish().
 * MUSTER_NOMEM. */
muster_status muster_testkit_balancer_set(muster_testkit_balancer *kit,
                                          const muster_endpoint *endpoints,
                                          size_t n_endpoints,
                                          muster_connectivity state);

/* Changes endpoint index of the list; last_failure (may be NULL) is copied. The
 * policy sees it at the next publish(). */
void muster_testkit_balancer_set_state(muster_testkit_balancer *kit,
                                       size_t index, muster_connectivity state,
                                       const char *last_failure);
void muster_testkit_balancer_set_unhealthy(muster_testkit_balancer *kit,
                                           size_t index, int is_unhealthy);

/* Shows the policy the list: update(), want(), then build() of the READY view.
 * Answers what build() does; when it fails the old table serves on. */
muster_status muster_testkit_balancer_publish(muster_testkit_balancer *kit,
                                              muster_error *err);

/* Endpoint index of the list as the policy sees it; NULL beyond the list. Valid
 * until the next call that changes the list. */
const muster_backend *
muster_testkit_balancer_get_backend(const muster_testkit_balancer *kit,
                                    size_t index);

/* Whether the last want() said so of endpoint index of the list, or a pick
 * answered CONNECT for it. */
int muster_testkit_balancer_is_wanted(const muster_testkit_balancer *kit,
                                      size_t index);

/* Picks for call (NULL: a fail-fast call of which nothing is known). A policy
 * that does not pick when empty is not asked then: QUEUE. Thread: any, while no
 * other function but these three runs. */
void muster_testkit_balancer_pick(muster_testkit_balancer *kit,
                                  const muster_call_info *call, uint32_t shard,
                                  muster_testkit_pick *ret_pick);

/* A call that was placed on id has ended; NULL: well. An id that is not in the
 * list is let pass with its state, as long as the kit lives. Thread: as pick.
 */
void muster_testkit_balancer_done(muster_testkit_balancer *kit, uint64_t id,
                                  const muster_outcome *outcome);

void muster_testkit_balancer_get_raw(const muster_testkit_balancer *kit,
                                     muster_testkit_balancer_raw *ret_raw);

/* Runs the timers that are due, then want() and build() when the policy has
 * asked for it (republish(), set_ejected()), until there is no more. Returns
 * how many timers and builds ran. */
unsigned muster_testkit_balancer_step(muster_testkit_balancer *kit);

/* Moves time by delay_ms, with a step at each timer's own time. */
unsigned muster_testkit_balancer_advance(muster_testkit_balancer *kit,
                                         uint64_t delay_ms);

/* The same, by nanoseconds. */
unsigned muster_testkit_balancer_advance_ns(muster_testkit_balancer *kit,
                                            uint64_t delay_ns);

/* Virtual nanoseconds since the kit was created. Thread: any. */
uint64_t muster_testkit_balancer_now_ns(muster_testkit_balancer *kit);

/* Valid until the next call on kit. */
const muster_testkit_balancer_seen *
muster_testkit_balancer_get(muster_testkit_balancer *kit);

/* What the policy and its children have counted under name, with these labels
 * and maybe others beside them. */
uint64_t muster_testkit_balancer_get_count(const muster_testkit_balancer *kit,
                                           const char *name,
                                           const muster_attribute *labels,
                                           size_t n_labels);

/* The rules that were broken, a line each; "" when none. Valid until the next
 * call of it. */
const char *muster_testkit_balancer_violations(muster_testkit_balancer *kit);

/* Destroys the table and the policy; checks that it left no child and no child
 * table. After it only violations() and destroy() may be called. Again: does
 * nothing. */
void muster_testkit_balancer_stop(muster_testkit_balancer *kit);

/* Stops if need be and releases kit. NULL is ignored. */
void muster_testkit_balancer_destroy(muster_testkit_balancer *kit);

/* ---- a transport that connects nothing ---- */

/* Its time is real: it has a thread of its own, on which it reports states, as
 * real transports do. Thread: any, for all of its functions. An address that is
 * NULL stands for all addresses. */
typedef struct muster_testkit_transport muster_testkit_transport;

/* Numbers since the kit was created, and of now. */
typedef struct muster_testkit_transport_counts {
    uint64_t created;      /* connections */
    uint64_t ready;        /* that became READY */
    uint64_t failed;       /* that ended before */
    uint64_t disconnected; /* that ended after */
    uint64_t destroyed;
    uint64_t cancelled;      /* calls of the class's cancel() */
    uint64_t connecting;     /* now */
    uint64_t connected;      /* now */
    uint64_t max_connecting; /* at one time; of all addresses only */
} muster_testkit_transport_counts;

/* *ret_kit is the caller's. Connects at once, on its thread. MUSTER_NOMEM,
 * MUSTER_EXHAUSTED (no thread). */
muster_status
muster_testkit_transport_create(muster_testkit_transport **ret_kit);

/* For muster_channel_options.transport; the kit is transport_arg. Static. */
const muster_transport_class *muster_testkit_transport_class(void);

/* Connections made from now on are READY after delay_ms; MUSTER_FOREVER: when
 * the test says so. */
void muster_testkit_transport_set_delay(muster_testkit_transport *kit,
                                        uint64_t delay_ms);

/* Whether a delay of 0 reports inside create() from now on. */
void muster_testkit_transport_set_inline(muster_testkit_transport *kit,
                                         int is_inline);

/* Connections to address made from now on fail, after the delay, with reason
 * (copied); NULL: they connect again. The last word wins. MUSTER_NOMEM. */
muster_status
muster_testkit_transport_set_failure(muster_testkit_transport *kit,
                                     const char *address, const char *reason);

/* The connections that are being made become READY, fail with reason, and those
 * that are READY go away: reported soon, by the kit's thread. Return how many.
 */
unsigned muster_testkit_transport_connect(muster_testkit_transport *kit,
                                          const char *address);
unsigned muster_testkit_transport_fail(muster_testkit_transport *kit,
                                       const char *address, const char *reason);
unsigned muster_testkit_transport_disconnect(muster_testkit_transport *kit,
                                             const char *address);

/* Asks the core for new connections in the place of those that are READY, and
 * of those being made once they are. Returns how many. */
unsigned muster_testkit_transport_renew(muster_testkit_transport *kit,
                                        const char *address);

/* Connections begin as UNKNOWN when a service is to be watched. Those to
 * address that are being made or READY report health (a muster_health) with
 * reason, which may be NULL. Returns how many. */
unsigned muster_testkit_transport_report_health(muster_testkit_transport *kit,
                                                const char *address,
                                                muster_health health,
                                                const char *reason);

/* How many connections to address are being made or READY and were last asked
 * to watch service; NULL: none. */
unsigned muster_testkit_transport_count_watches(muster_testkit_transport *kit,
                                                const char *address,
                                                const char *service);

void muster_testkit_transport_get_counts(
    muster_testkit_transport *kit, const char *address,
    muster_testkit_transport_counts *ret_counts);

/* Waits until is_enough(arg, counts of address) is not 0; it is called with the
 * kit's lock held, so it must not call the kit. MUSTER_TIMEOUT. */
muster_status muster_testkit_transport_await(
    muster_testkit_transport *kit, const char *address,
    int (*is_enough)(void *arg, const muster_testkit_transport_counts *counts),
    void *arg, int timeout_ms);

/* For a lease's connection: whether it is one of this kit's and not destroyed
 * (else a violation). A test calls it where a program would use the connection.
 */
int muster_testkit_transport_use(muster_testkit_transport *kit,
                                 const void *connection);

/* The rules that were broken, a line each; "" when none. Valid until the next
 * call of it. */
const char *muster_testkit_transport_violations(muster_testkit_transport *kit);

/* Releases kit; connections that are left are a violation. NULL is ignored. */
void muster_testkit_transport_destroy(muster_testkit_transport *kit);

#ifdef __cplusplus
}
#endif

#endif
