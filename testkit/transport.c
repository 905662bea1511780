/* SPDX-License-Identifier: Apache-2.0 */
/* The fake transport as a test sees it: commands and counts. */
#include "transport.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "copies.h"

/* ---- addresses ---- */

/* FNV-1a (Fowler, Noll, Vo). */
static transport_address **chain_of(muster_testkit_transport *kit,
                                    const char *text)
{
    uint32_t hash = 2166136261u;

    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    }
    return &kit->chains[hash % TRANSPORT_N_CHAINS];
}

static transport_address *find_address(muster_testkit_transport *kit,
                                       const char *text)
{
    transport_address *address = *chain_of(kit, text);

    while (address != NULL && strcmp(address->text, text) != 0) {
        address = address->next;
    }
    return address;
}

transport_address *testkit_transport_address(muster_testkit_transport *kit,
                                             const char *text)
{
    transport_address *address = find_address(kit, text);
    transport_address **chain = chain_of(kit, text);
    size_t size = strlen(text) + 1;

    if (address != NULL) {
        return address;
    }
    address = calloc(1, sizeof *address + size);
    if (address == NULL) {
        return NULL;
    }
    memcpy(address->text, text, size);
    address->next = *chain;
    *chain = address;
    return address;
}

/* ---- life ---- */

static void init_kit(muster_testkit_transport *kit)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&kit->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&kit->mutex, NULL);
    kit->destroyed_end = &kit->destroyed;
    testkit_violations_init(&kit->violations);
}

static void fini_kit(muster_testkit_transport *kit)
{
    testkit_transport_release(kit);
    free(kit->failure);
    (void)pthread_mutex_destroy(&kit->mutex);
    (void)pthread_cond_destroy(&kit->changed);
    testkit_violations_fini(&kit->violations);
    free(kit);
}

/* As muster's own threads, the kit's takes no signals. */
static int start_thread(muster_testkit_transport *kit)
{
    sigset_t all;
    sigset_t before;
    int code;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&kit->thread, NULL, testkit_transport_run, kit);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

muster_status
muster_testkit_transport_create(muster_testkit_transport **ret_kit)
{
    muster_testkit_transport *kit = calloc(1, sizeof *kit);

    if (kit == NULL) {
        return MUSTER_NOMEM;
    }
    init_kit(kit);
    if (start_thread(kit) != 0) {
        fini_kit(kit);
        return MUSTER_EXHAUSTED;
    }
    *ret_kit = kit;
    return MUSTER_OK;
}

void muster_testkit_transport_destroy(muster_testkit_transport *kit)
{
    if (kit == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&kit->mutex);
    kit->is_stopping = true;
    (void)pthread_cond_broadcast(&kit->changed);
    (void)pthread_mutex_unlock(&kit->mutex);
    (void)pthread_join(kit->thread, NULL);
    fini_kit(kit);
}

const char *muster_testkit_transport_violations(muster_testkit_transport *kit)
{
    return testkit_violations_read(&kit->violations);
}

/* ---- settings ---- */

void muster_testkit_transport_set_delay(muster_testkit_transport *kit,
                                        uint64_t delay_ms)
{
    (void)pthread_mutex_lock(&kit->mutex);
    kit->delay_ms = delay_ms;
    (void)pthread_mutex_unlock(&kit->mutex);
}

void muster_testkit_transport_set_inline(muster_testkit_transport *kit,
                                         int is_inline)
{
    (void)pthread_mutex_lock(&kit->mutex);
    kit->is_inline = is_inline != 0;
    (void)pthread_mutex_unlock(&kit->mutex);
}

/* All addresses go by the kit's word from now on. */
static void set_failure_of_all_locked(muster_testkit_transport *kit,
                                      char *failure)
{
    free(kit->failure);
    kit->failure = failure;
    for (unsigned i = 0; i < TRANSPORT_N_CHAINS; i++) {
        for (transport_address *address = kit->chains[i]; address != NULL;
             address = address->next) {
            address->has_own_failure = false;
        }
    }
}

static muster_status set_failure_locked(muster_testkit_transport *kit,
                                        const char *text, char *failure)
{
    transport_address *address;

    if (text == NULL) {
        set_failure_of_all_locked(kit, failure);
        return MUSTER_OK;
    }
    address = testkit_transport_address(kit, text);
    if (address == NULL) {
        free(failure);
        return MUSTER_NOMEM;
    }
    free(address->failure);
    address->failure = failure;
    address->has_own_failure = true;
    return MUSTER_OK;
}

muster_status
muster_testkit_transport_set_failure(muster_testkit_transport *kit,
                                     const char *address, const char *reason)
{
    char *failure;
    muster_status status;

    if (!testkit_copies_text(reason, &failure)) {
        return MUSTER_NOMEM;
    }
    (void)pthread_mutex_lock(&kit->mutex);
    status = set_failure_locked(kit, address, failure);
    (void)pthread_mutex_unlock(&kit->mutex);
    return status;
}

/* ---- commands ---- */

/* What connections in state from are to become. */
typedef struct command {
    muster_connectivity from;
    muster_connectivity to;
    const char *reason;
} command;

static unsigned command_address_locked(transport_address *address,
                                       const command *what)
{
    transport_connection *connection = address->connections;
    unsigned n = 0;

    for (; connection != NULL; connection = connection->next) {
        if (connection->state != what->from) {
            continue;
        }
        if (testkit_transport_plan(connection, what->to, what->reason, 0) ==
            MUSTER_OK) {
            n++;
        }
    }
    return n;
}

static unsigned run_command(muster_testkit_transport *kit, const char *text,
                            const command *what)
{
    unsigned n = 0;

    (void)pthread_mutex_lock(&kit->mutex);
    for (unsigned i = 0; i < TRANSPORT_N_CHAINS; i++) {
        for (transport_address *address = kit->chains[i]; address != NULL;
             address = address->next) {
            if (text == NULL || strcmp(address->text, text) == 0) {
                n += command_address_locked(address, what);
            }
        }
    }
    (void)pthread_mutex_unlock(&kit->mutex);
    return n;
}

unsigned muster_testkit_transport_connect(muster_testkit_transport *kit,
                                          const char *address)
{
    const command what = {MUSTER_CONNECTING, MUSTER_READY, NULL};

    return run_command(kit, address, &what);
}

unsigned muster_testkit_transport_fail(muster_testkit_transport *kit,
                                       const char *address, const char *reason)
{
    const command what = {MUSTER_CONNECTING, MUSTER_TRANSIENT_FAILURE, reason};

    return run_command(kit, address, &what);
}

unsigned muster_testkit_transport_disconnect(muster_testkit_transport *kit,
                                             const char *address)
{
    const command what = {MUSTER_READY, MUSTER_IDLE, NULL};

    return run_command(kit, address, &what);
}

/* ---- counts ---- */

static void get_counts_locked(muster_testkit_transport *kit, const char *text,
                              muster_testkit_transport_counts *ret_counts)
{
    static const uint64_t none[TRANSPORT_N_COUNTS];
    const transport_address *address =
        text == NULL ? NULL : find_address(kit, text);
    const uint64_t *counts = text == NULL      ? kit->counts
                             : address == NULL ? none
                                               : address->counts;

    ret_counts->created = counts[TRANSPORT_CREATED];
    ret_counts->ready = counts[TRANSPORT_READY];
    ret_counts->failed = counts[TRANSPORT_FAILED];
    ret_counts->disconnected = counts[TRANSPORT_DISCONNECTED];
    ret_counts->destroyed = counts[TRANSPORT_DESTROYED];
    ret_counts->cancelled = counts[TRANSPORT_CANCELLED];
    ret_counts->connecting = counts[TRANSPORT_CONNECTING];
    ret_counts->connected = counts[TRANSPORT_CONNECTED];
    ret_counts->max_connecting = text == NULL ? kit->max_connecting : 0;
}

void muster_testkit_transport_get_counts(
    muster_testkit_transport *kit, const char *address,
    muster_testkit_transport_counts *ret_counts)
{
    (void)pthread_mutex_lock(&kit->mutex);
    get_counts_locked(kit, address, ret_counts);
    (void)pthread_mutex_unlock(&kit->mutex);
}

muster_status muster_testkit_transport_await(
    muster_testkit_transport *kit, const char *address,
    int (*is_enough)(void *arg, const muster_testkit_transport_counts *counts),
    void *arg, int timeout_ms)
{
    uint64_t deadline_ms = testkit_transport_now_ms() + (uint64_t)timeout_ms;
    muster_status status = MUSTER_OK;

    (void)pthread_mutex_lock(&kit->mutex);
    for (;;) {
        muster_testkit_transport_counts counts;

        get_counts_locked(kit, address, &counts);
        if (is_enough(arg, &counts)) {
            break;
        }
        if (testkit_transport_now_ms() >= deadline_ms) {
            status = MUSTER_TIMEOUT;
            break;
        }
        testkit_transport_wait_until(kit, deadline_ms);
    }
    (void)pthread_mutex_unlock(&kit->mutex);
    return status;
}
