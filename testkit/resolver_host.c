/* SPDX-License-Identifier: Apache-2.0 */
/* The host tables that a resolver and its plugin call. */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "resolver.h"

/* The smallest structs that any ABI so far has had. */
#define UPDATE_SIZE_MIN (offsetof(muster_update, reserved) + sizeof(uint32_t))
#define DELTA_SIZE_MIN (offsetof(muster_delta, n_removed) + sizeof(size_t))

/* ---- the way in ---- */

static bool is_driver(const muster_testkit_resolver *kit)
{
    return pthread_equal(pthread_self(), kit->driver) != 0;
}

/* A host call by another thread is an event that poll() waits for. */
static void note_outside(muster_testkit_resolver *kit)
{
    if (!is_driver(kit)) {
        (void)atomic_fetch_add(&kit->n_outside, 1);
        testkit_watches_wake(&kit->watches);
    }
}

/* Whether a call may go on. After stopped() it is ignored and counted; from
 * another thread it is a broken rule then, for free() may already have run. */
static bool is_open(testkit_resolver_caller *caller, const char *call)
{
    if (!atomic_load(&caller->is_closed)) {
        return true;
    }
    (void)atomic_fetch_add(&caller->kit->n_late, 1);
    if (!is_driver(caller->kit)) {
        testkit_violations_add(&caller->kit->violations,
                               "%s: %s() by another thread after stopped()",
                               caller->name, call);
    }
    return false;
}

/* The first status of a call that can fail. */
static muster_status enter(testkit_resolver_caller *caller, const char *call)
{
    muster_testkit_resolver *kit = caller->kit;

    if (!is_open(caller, call)) {
        return MUSTER_CLOSED;
    }
    if (caller == &kit->caller && kit->is_creating) {
        testkit_violations_add(&kit->violations, "%s: %s() inside create()",
                               caller->name, call);
    }
    if (atomic_load(&kit->n_broken) > 0) {
        (void)atomic_fetch_sub(&kit->n_broken, 1);
        return (muster_status)atomic_load(&kit->broken);
    }
    return MUSTER_OK;
}

static muster_status enter_driving(testkit_resolver_caller *caller,
                                   const char *call)
{
    if (!is_driver(caller->kit)) {
        testkit_violations_add(&caller->kit->violations,
                               "%s: %s() on a thread that is not control",
                               caller->name, call);
        return MUSTER_INVAL;
    }
    return enter(caller, call);
}

/* A call that no data from outside can explain. */
static muster_status misused(testkit_resolver_caller *caller, const char *call,
                             const char *what)
{
    testkit_violations_add(&caller->kit->violations, "%s: %s() %s",
                           caller->name, call, what);
    return MUSTER_INVAL;
}

/* ---- reports ---- */

static muster_status check(testkit_resolver_caller *caller, const char *call,
                           const muster_endpoint *endpoints, size_t stride,
                           size_t n)
{
    if (n > 0 && endpoints == NULL) {
        return misused(caller, call, "of endpoints at a null pointer");
    }
    if (n > 0 && (stride < sizeof(const char *) ||
                  stride % alignof(muster_endpoint) != 0)) {
        return misused(caller, call, "with an endpoint_size that is none");
    }
    if (n > UINT32_MAX) {
        return misused(caller, call, "of more endpoints than memory holds");
    }
    for (size_t i = 0; i < n; i++) {
        muster_endpoint endpoint = testkit_copies_read(endpoints, stride, i);
        const char *refusal = testkit_copies_refusal(&endpoint);

        if (refusal != NULL) {
            atomic_store(&caller->kit->refusal, refusal);
            (void)atomic_fetch_add(&caller->kit->n_refused, 1);
            return MUSTER_INVAL;
        }
    }
    return MUSTER_OK;
}

static muster_status check_update(testkit_resolver_caller *caller,
                                  const muster_update *update)
{
    if (update == NULL || update->struct_size < UPDATE_SIZE_MIN) {
        return misused(caller, "report", "of an update without its fields");
    }
    if ((update->flags & ~(uint32_t)MUSTER_UPDATE_EMPTY_IS_FINAL) != 0 ||
        update->reserved != 0) {
        return misused(caller, "report", "with flags that do not exist");
    }
    return check(caller, "report", update->endpoints, update->endpoint_size,
                 update->n_endpoints);
}

static muster_status check_delta(testkit_resolver_caller *caller,
                                 const muster_delta *delta)
{
    muster_status status;

    if (delta == NULL || delta->struct_size < DELTA_SIZE_MIN) {
        return misused(caller, "report_delta", "of a delta without its fields");
    }
    status = check(caller, "report_delta", delta->upserted,
                   delta->endpoint_size, delta->n_upserted);
    if (status == MUSTER_OK) {
        status = check(caller, "report_delta", delta->removed,
                       delta->endpoint_size, delta->n_removed);
    }
    return status;
}

static muster_status put(testkit_resolver_caller *caller,
                         testkit_inbox_item *item, uint64_t *ret_sequence)
{
    uint64_t sequence = testkit_inbox_put(&caller->kit->inbox, item);

    note_outside(caller->kit);
    if (ret_sequence != NULL) {
        *ret_sequence = sequence;
    }
    return MUSTER_OK;
}

static muster_status host_report(void *ctx, const muster_update *update,
                                 uint64_t *ret_sequence)
{
    testkit_resolver_caller *caller = ctx;
    muster_status status = enter(caller, "report");
    testkit_inbox_item *item;

    if (status == MUSTER_OK) {
        status = check_update(caller, update);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    item = testkit_inbox_item_create(INBOX_REPORT);
    if (item == NULL) {
        return MUSTER_NOMEM;
    }
    item->flags = update->flags;
    status =
        testkit_copies_append_all(&item->upserted, update->endpoints,
                                  update->endpoint_size, update->n_endpoints);
    if (status != MUSTER_OK ||
        !testkit_copies_text(update->service_config, &item->text)) {
        testkit_inbox_item_destroy(item);
        return MUSTER_NOMEM;
    }
    return put(caller, item, ret_sequence);
}

static muster_status host_report_delta(void *ctx, const muster_delta *delta,
                                       uint64_t *ret_sequence)
{
    testkit_resolver_caller *caller = ctx;
    muster_status status = enter(caller, "report_delta");
    testkit_inbox_item *item;

    if (status == MUSTER_OK) {
        status = check_delta(caller, delta);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    item = testkit_inbox_item_create(INBOX_DELTA);
    if (item == NULL) {
        return MUSTER_NOMEM;
    }
    if (testkit_copies_append_all(&item->upserted, delta->upserted,
                                  delta->endpoint_size,
                                  delta->n_upserted) != MUSTER_OK ||
        testkit_copies_append_all(&item->removed, delta->removed,
                                  delta->endpoint_size,
                                  delta->n_removed) != MUSTER_OK) {
        testkit_inbox_item_destroy(item);
        return MUSTER_NOMEM;
    }
    return put(caller, item, ret_sequence);
}

static void put_message(testkit_resolver_caller *caller,
                        testkit_inbox_type type, muster_status status,
                        muster_log_level level, const char *message)
{
    testkit_inbox_item *item = testkit_inbox_item_create(type);

    if (item == NULL ||
        !testkit_copies_text(message == NULL ? "" : message, &item->text)) {
        testkit_inbox_item_destroy(item);
        testkit_violations_add(&caller->kit->violations,
                               "out of memory in the kit");
        return;
    }
    item->status = status;
    item->level = level;
    (void)put(caller, item, NULL);
}

static void host_fail(void *ctx, muster_status code, const char *message)
{
    testkit_resolver_caller *caller = ctx;

    if (!is_open(caller, "fail")) {
        return;
    }
    if (code == MUSTER_OK || message == NULL || message[0] == '\0') {
        testkit_violations_add(&caller->kit->violations,
                               "%s: fail() without a code or a message",
                               caller->name);
    }
    put_message(caller, INBOX_FAILURE, code, MUSTER_LOG_ERROR, message);
}

static void host_log(void *ctx, muster_log_level level, const char *message)
{
    testkit_resolver_caller *caller = ctx;

    if (is_open(caller, "log")) {
        put_message(caller, INBOX_LOG, MUSTER_OK, level, message);
    }
}

/* ---- tasks and watches ---- */

static muster_status host_call_later(void *ctx, uint64_t delay_ms,
                                     muster_task_fn fn, void *arg,
                                     uint64_t *ret_timer)
{
    testkit_resolver_caller *caller = ctx;
    muster_status status = enter(caller, "call_later");
    uint64_t delay_ns =
        delay_ms > UINT64_MAX / 1000000 ? UINT64_MAX : delay_ms * 1000000;

    if (status == MUSTER_OK && fn == NULL) {
        return misused(caller, "call_later", "of no function");
    }
    if (status == MUSTER_OK) {
        status = testkit_agenda_add(&caller->kit->agenda, caller, delay_ns, fn,
                                    arg, ret_timer);
        note_outside(caller->kit);
    }
    return status;
}

static void host_cancel(void *ctx, uint64_t timer)
{
    testkit_resolver_caller *caller = ctx;

    if (!is_open(caller, "cancel")) {
        return;
    }
    if (!is_driver(caller->kit)) {
        testkit_violations_add(&caller->kit->violations,
                               "%s: cancel() on a thread that is not control",
                               caller->name);
    }
    testkit_agenda_cancel(&caller->kit->agenda, caller, timer);
}

static muster_status host_watch(void *ctx, int fd, unsigned events,
                                muster_watch_fn fn, void *arg)
{
    testkit_resolver_caller *caller = ctx;
    muster_testkit_resolver *kit = caller->kit;
    testkit_watches_item item = {caller, fn, arg, fd, events};
    muster_status status;

    if (caller == &kit->caller &&
        (kit->class_->flags & MUSTER_RESOLVER_MAY_BLOCK)) {
        return MUSTER_UNSUPPORTED;
    }
    if (events == 0 && is_driver(kit) && is_open(caller, "watch")) {
        /* The end of a watch needs nothing: a host never refuses it. */
        return testkit_watches_set(&kit->watches, &item);
    }
    status = enter_driving(caller, "watch");
    return status == MUSTER_OK ? testkit_watches_set(&kit->watches, &item)
                               : status;
}

static muster_status host_post(void *ctx, muster_task_fn fn, void *arg)
{
    testkit_resolver_caller *caller = ctx;
    muster_status status = enter(caller, "post");

    if (status == MUSTER_OK && fn == NULL) {
        return misused(caller, "post", "of no function");
    }
    if (status == MUSTER_OK) {
        status =
            testkit_agenda_add(&caller->kit->agenda, caller, 0, fn, arg, NULL);
        note_outside(caller->kit);
    }
    return status;
}

static void host_stopped(void *ctx)
{
    testkit_resolver_caller *caller = ctx;
    muster_testkit_resolver *kit = caller->kit;

    if (!kit->is_stopping) {
        testkit_violations_add(&kit->violations, "%s: stopped() before stop()",
                               caller->name);
    }
    atomic_store(&caller->is_closed, true);
    note_outside(kit);
}

static uint64_t host_now_ms(void *ctx)
{
    testkit_resolver_caller *caller = ctx;

    return testkit_agenda_now_ns(&caller->kit->agenda) / 1000000;
}

static uint64_t host_random(void *ctx)
{
    testkit_resolver_caller *caller = ctx;

    return testkit_agenda_random(&caller->kit->agenda);
}

/* ---- names ---- */

/* Answers a query; arg stays on the kit's list until the kit is destroyed. */
static void answer_query(void *arg)
{
    testkit_resolver_query *query = arg;
    muster_testkit_resolver *kit = query->kit;
    const char **addresses = calloc(kit->n_names + 1u, sizeof *addresses);
    size_t n = 0;

    if (addresses == NULL) {
        query->fn(query->arg, MUSTER_NOMEM, NULL, 0);
        return;
    }
    for (uint32_t i = 0; i < kit->n_names; i++) {
        if (strcmp(kit->names[i].key, query->name) == 0) {
            addresses[n++] = kit->names[i].value;
        }
    }
    query->fn(query->arg, n > 0 ? MUSTER_OK : MUSTER_NOTFOUND, addresses, n);
    free(addresses);
}

static muster_status host_resolve(void *ctx, const char *name,
                                  void (*fn)(void *arg, muster_status status,
                                             const char *const *addresses,
                                             size_t n_addresses),
                                  void *arg)
{
    testkit_resolver_caller *caller = ctx;
    muster_testkit_resolver *kit = caller->kit;
    muster_status status = enter_driving(caller, "resolve");
    testkit_resolver_query *query;

    if (status != MUSTER_OK) {
        return status;
    }
    query = calloc(1, sizeof *query);
    if (query == NULL || !testkit_copies_text(name, &query->name)) {
        free(query);
        return MUSTER_NOMEM;
    }
    query->kit = kit;
    query->fn = fn;
    query->arg = arg;
    query->next = kit->queries;
    kit->queries = query;
    return testkit_agenda_add(&kit->agenda, caller, 0, answer_query, query,
                              NULL);
}

const muster_resolver_host testkit_resolver_host = {
    .struct_size = (uint32_t)sizeof(muster_resolver_host),
    .report = host_report,
    .report_delta = host_report_delta,
    .fail = host_fail,
    .call_later = host_call_later,
    .cancel = host_cancel,
    .watch = host_watch,
    .post = host_post,
    .stopped = host_stopped,
    .log = host_log,
    .now_ms = host_now_ms,
    .random = host_random,
};

const muster_plugin_host testkit_resolver_plugin_host = {
    .struct_size = (uint32_t)sizeof(muster_plugin_host),
    .call_later = host_call_later,
    .cancel = host_cancel,
    .watch = host_watch,
    .post = host_post,
    .log = host_log,
    .resolve = host_resolve,
    .now_ms = host_now_ms,
};
