/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a fake resolver host. */
#ifndef MUSTER_TESTKIT_RESOLVER_H
#define MUSTER_TESTKIT_RESOLVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <muster/testkit.h>

#include "agenda.h"
#include "inbox.h"
#include "violations.h"
#include "watches.h"

/* One of the two that call the host: the plugin as such, and its instance. */
typedef struct testkit_resolver_caller {
    muster_testkit_resolver *kit;
    const char *name;      /* for testkit_violations */
    atomic_bool is_closed; /* calls are ignored from now on */
} testkit_resolver_caller;

/* A name being resolved for the plugin. */
typedef struct testkit_resolver_query {
    struct testkit_resolver_query *next;
    muster_testkit_resolver *kit;
    void (*fn)(void *arg, muster_status status, const char *const *addresses,
               size_t n_addresses);
    void *arg;
    char *name;
} testkit_resolver_query;

struct muster_testkit_resolver {
    const muster_plugin *plugin; /* or NULL */
    const muster_resolver_class *class_;
    void *self;
    char *uri;
    char *authority;
    char *path;
    muster_attribute *options;
    muster_attribute *names;
    uint32_t n_names;
    muster_resolver_env env;
    void *shared;
    testkit_resolver_caller plugin_caller;
    testkit_resolver_caller caller;
    pthread_t driver;
    testkit_agenda agenda;
    testkit_watches watches;
    testkit_inbox inbox;
    testkit_violations violations;
    testkit_resolver_query *queries;
    atomic_uint n_outside; /* host calls by other threads */
    atomic_int broken;     /* a muster_status */
    _Atomic uint64_t n_broken;
    _Atomic uint64_t n_refused;    /* reports and deltas with bad endpoints */
    _Atomic(const char *) refusal; /* why, of the last; static, or NULL */
    _Atomic uint64_t n_late;       /* host calls after stopped() */
    bool is_creating;
    bool is_stopping;
    bool is_finished; /* nothing of the plugin is left, or it was leaked */
};

extern const muster_resolver_host testkit_resolver_host;
extern const muster_plugin_host testkit_resolver_plugin_host;

#endif
