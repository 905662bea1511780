/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a watch on dns fails once, those of c-ares too: nothing
 * crashes, hangs or leaks, every error is an error, and when memory is back the
 * next list comes, to the same watch.
 *   dns_watch_oom name|services [STEP]
 * waits for that in every STEP-th run; 1: in all
 */
#include <muster/muster.h>
#include <muster/plugin.h>

#include <ares.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "knot.h"
#include "passes.h"

const muster_plugin *muster_builtin_dns(void);

/* A family of addresses whose question found no answer is asked for again after
 * 30 s, which is no hang. */
enum { HANG_S = 60, STEP_DEFAULT = 20, ENDPOINTS = 2 };

#define ZONE "oom.test"
#define OPTIONS                                                                \
    "ttl_min=100ms&ttl_max=100ms&timeout=500ms&tries=1&service_config=on"

/* Both come to two endpoints. */
static const struct {
    const char *name;
    const char *path;
} kinds[] = {{"name", "both." ZONE "?" OPTIONS},
             {"services", "_web._tcp." ZONE "?" OPTIONS}};

static const char records[] =
    "both A 10.0.0.1\n"
    "both AAAA fd00::1\n"
    "other A 10.0.0.2\n"
    "alias CNAME other\n"
    "_web._tcp SRV 1 2 80 both\n"
    "_web._tcp SRV 2 0 81 other\n"
    "_grpc_config.both TXT \"grpc_config=[{\\\"serviceConfig\\\":{}}]\"\n"
    "_grpc_config TXT \"grpc_config=[{\\\"serviceConfig\\\":{}}]\"\n";

static knot zone;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t step = STEP_DEFAULT; /* of the runs that wait */
static bool has_event;               /* by mutex, as what follows */
static size_t n_endpoints;           /* of the last list */
static bool is_newest;               /* the last list has the address of now */
static char newest[] = "10.0.0.1:";

static bool has_newest(const muster_endpoint *endpoint)
{
    bool is_there = strncmp(endpoint->address, newest, sizeof newest - 1) == 0;

    for (uint32_t i = 0; i < endpoint->n_more_addresses; i++) {
        is_there = is_there || strncmp(endpoint->more_addresses[i], newest,
                                       sizeof newest - 1) == 0;
    }
    return is_there;
}

static void on_event(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)pthread_mutex_lock(&mutex);
    has_event = true;
    n_endpoints = event->n_endpoints;
    is_newest = false;
    for (size_t i = 0; i < n_endpoints; i++) {
        is_newest = is_newest || has_newest(&event->endpoints[i]);
    }
    (void)pthread_cond_signal(&changed);
    (void)pthread_mutex_unlock(&mutex);
}

/* Need no memory. A hang is for alarm(). */
static void await_event(void)
{
    (void)pthread_mutex_lock(&mutex);
    while (!has_event) {
        (void)pthread_cond_wait(&changed, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

static void await_newest(void)
{
    (void)pthread_mutex_lock(&mutex);
    while (!is_newest || n_endpoints != ENDPOINTS) {
        (void)pthread_cond_wait(&changed, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

static void change_zone(void)
{
    char address[sizeof newest];
    const char *data = address;

    (void)pthread_mutex_lock(&mutex);
    newest[7] = newest[7] == '1' ? '3' : '1';
    memcpy(address, newest, sizeof newest);
    is_newest = false;
    (void)pthread_mutex_unlock(&mutex);
    address[sizeof newest - 2] = '\0'; /* the colon */
    if (!knot_set_records(&zone, "both", "A", 1, &data, 1)) {
        passes_die("the zone cannot be changed");
    }
}

/* Whether the countdown-th allocation was reached. */
static bool run(void *arg, const passes_failure *failure)
{
    const char *target = arg;
    const bool waits = failure->pass < 2 && failure->countdown % step == 0;
    muster_watch *watch = NULL;
    muster_status status;
    bool has_failed;

    has_event = false;
    (void)alarm(HANG_S);
    failing_malloc_arm(failure->countdown, failure->n);
    status = muster_watch_create(target, on_event, NULL, &watch, NULL);
    if (status == MUSTER_OK) {
        await_event();
    } else if (status != MUSTER_NOMEM && status != MUSTER_UNAVAILABLE) {
        passes_die(muster_status_name(status));
    }
    has_failed = failing_malloc_disarm();
    if (status == MUSTER_OK && waits) {
        change_zone();
        await_newest();
    }
    if (status != MUSTER_OK && !has_failed) {
        passes_die("failed without a reason");
    }
    muster_watch_destroy(watch);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    return has_failed;
}

static const char *find_path(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return kinds[i].path;
        }
    }
    return NULL;
}

static void set_step(const char *text)
{
    if (text != NULL) {
        step = strtoull(text, NULL, 10);
        step = step != 0 ? step : 1;
    }
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? find_path(argv[1]) : NULL;
    char target[256];
    int code;

    if (path == NULL) {
        passes_die("dns_watch_oom name|services [STEP]");
    }
    set_step(argc > 2 ? argv[2] : NULL);
    if (ares_library_init_mem(ARES_LIB_INIT_ALL, malloc, free, realloc) !=
            ARES_SUCCESS ||
        muster_plugin_register(muster_builtin_dns, NULL) != MUSTER_OK ||
        !knot_start(&zone, ZONE, records, NULL)) {
        passes_die("cannot begin");
    }
    (void)snprintf(target, sizeof target, "dns://%s/%s", zone.address, path);
    code = passes_run(0, NULL, run, target);
    knot_fini(&zone);
    return code;
}
