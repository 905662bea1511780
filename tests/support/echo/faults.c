/* SPDX-License-Identifier: Apache-2.0 */
/* Delays and failures of echo calls. */
#include "faults.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <grpc/support/alloc.h>

#include "counts.h"
#include "options.h"

#define TRAILER_PREFIX "x-echo-trailer-"

/* What a request asks for; -1 where it does not. */
typedef struct wishes {
    long delay_ms;
    long delay_percent;
    long status;
    long abort_percent;
    long fail_attempts;
    long previous_attempts;
    bool has_headers;
} wishes;

static session *delayed; /* ordered by due */

static _Atomic double error_rate = -1; /* by command; -1: the flag's */
/* By command; negative: as the flag has it. Relaxed: it says nothing about
 * other memory. */
static atomic_long commanded_delay_ms = -1;

/* ---- Metadata ---- */

static long number_of(grpc_slice slice)
{
    char text[24] = "";
    size_t length = GRPC_SLICE_LENGTH(slice);

    if (length < sizeof text) {
        memcpy(text, GRPC_SLICE_START_PTR(slice), length);
    }
    return strtol(text, NULL, 10);
}

static bool is_key(const grpc_metadata *item, const char *key)
{
    return grpc_slice_str_cmp(item->key, key) == 0;
}

static bool begins_with(grpc_slice slice, const char *prefix, size_t length)
{
    return GRPC_SLICE_LENGTH(slice) > length &&
           memcmp(GRPC_SLICE_START_PTR(slice), prefix, length) == 0;
}

/* Takes ownership of key. */
static void add_trailing(session *self, grpc_slice key, grpc_slice value)
{
    if (self->n_trailing == SESSION_MAX_TRAILERS) {
        grpc_slice_unref(key);
        return;
    }
    self->trailing[self->n_trailing++] =
        (grpc_metadata){.key = key, .value = value};
}

static void read_echo_item(session *self, const grpc_metadata *item)
{
    const size_t length = strlen(TRAILER_PREFIX);

    if (is_key(item, "x-echo")) {
        self->initial[1] = *item;
        self->n_initial = 2;
        add_trailing(self, grpc_slice_ref(item->key), item->value);
    } else if (is_key(item, "x-echo-message")) {
        self->text = item->value;
    } else if (is_key(item, "x-echo-abort")) {
        self->resets = grpc_slice_str_cmp(item->value, "reset") == 0;
    } else if (is_key(item, "x-echo-copies")) {
        self->n_copies = number_of(item->value);
    } else if (is_key(item, "x-echo-end-after")) {
        self->end_after = number_of(item->value);
    } else if (is_key(item, "x-echo-collect")) {
        self->collects = true;
    } else if (begins_with(item->key, TRAILER_PREFIX, length)) {
        add_trailing(
            self,
            grpc_slice_sub(item->key, length, GRPC_SLICE_LENGTH(item->key)),
            item->value);
    }
}

static void read_fault_item(wishes *wished, const grpc_metadata *item)
{
    if (is_key(item, "x-delay-ms") ||
        is_key(item, "x-envoy-fault-delay-request")) {
        wished->delay_ms = number_of(item->value);
    } else if (is_key(item, "x-envoy-fault-delay-request-percentage")) {
        wished->delay_percent = number_of(item->value);
    } else if (is_key(item, "x-status") ||
               is_key(item, "x-envoy-fault-abort-grpc-request")) {
        wished->status = number_of(item->value);
    } else if (is_key(item, "x-envoy-fault-abort-request-percentage")) {
        wished->abort_percent = number_of(item->value);
    } else if (is_key(item, "x-fail-attempts")) {
        wished->fail_attempts = number_of(item->value);
    } else if (is_key(item, "x-fail-after-headers")) {
        wished->has_headers = true;
    }
}

/* ---- Chance ---- */

/* From 0 to 1, without it. */
static double draw(void)
{
    static unsigned seed;

    if (seed == 0) {
        seed = (unsigned)getpid();
    }
    return (double)rand_r(&seed) / ((double)RAND_MAX + 1);
}

static bool happens(long percent)
{
    return percent < 0 || draw() * 100 < (double)percent;
}

void faults_set_delay(long delay_ms)
{
    atomic_store_explicit(&commanded_delay_ms, delay_ms, memory_order_relaxed);
}

static long delay_of_server(void)
{
    const long jitter_ms = chosen.delay_jitter_ms;
    long delay_ms =
        atomic_load_explicit(&commanded_delay_ms, memory_order_relaxed);

    if (delay_ms < 0) {
        delay_ms = chosen.delay_ms;
    }
    if (jitter_ms > 0) {
        delay_ms += (long)(draw() * (double)(2 * jitter_ms + 1)) - jitter_ms;
    }
    return delay_ms;
}

void faults_set_error_rate(double rate)
{
    atomic_store(&error_rate, rate);
}

static bool fails_by_rate(void)
{
    const double told = atomic_load(&error_rate);
    const double rate = told < 0 ? chosen.error_rate : told;

    return rate > 0 && draw() < rate;
}

static void decide_status(session *self, const wishes *wished)
{
    const bool is_spared = wished->fail_attempts >= 0 &&
                           wished->previous_attempts >= wished->fail_attempts;

    if (wished->fail_attempts > 0 && wished->status < 0) {
        self->status = GRPC_STATUS_UNAVAILABLE;
    } else if (wished->status >= 0 && happens(wished->abort_percent)) {
        self->status = (grpc_status_code)wished->status;
    }
    if (is_spared) {
        self->status = GRPC_STATUS_OK;
    }
    if (fails_by_rate()) {
        self->status = chosen.error_status;
    }
    if (self->status == GRPC_STATUS_OK) {
        self->text = grpc_slice_from_static_string("");
    } else if (GRPC_SLICE_LENGTH(self->text) == 0) {
        self->text =
            grpc_slice_from_static_string("the server was asked to fail");
    }
    if (is_spared) {
        self->resets = false;
        self->end_after = -1;
    }
}

/* A call that fails has no headers, but trailers alone: gRFC A6 retries no
 * other. */
static void decide_headers(session *self, const wishes *wished)
{
    const grpc_metadata *id = &self->initial[0];

    if (self->status != GRPC_STATUS_OK && !wished->has_headers) {
        add_trailing(self, grpc_slice_ref(id->key), id->value);
        self->n_initial = 0;
    }
}

long faults_read(session *self)
{
    wishes wished = {-1, -1, -1, -1, -1, 0, false};

    self->initial[0].key = grpc_slice_from_static_string("x-server-id");
    self->initial[0].value = grpc_slice_from_static_string(chosen.id);
    self->n_initial = 1;
    self->n_copies = 1;
    self->end_after = -1;
    for (size_t i = 0; i < self->request_metadata.count; i++) {
        const grpc_metadata *item = &self->request_metadata.metadata[i];

        if (begins_with(item->key, "x-", 2)) {
            read_echo_item(self, item);
            read_fault_item(&wished, item);
        } else if (is_key(item, "grpc-previous-rpc-attempts")) {
            wished.previous_attempts = number_of(item->value);
            counts_add(COUNT_RETRIES);
        }
    }
    decide_status(self, &wished);
    decide_headers(self, &wished);
    return wished.delay_ms >= 0 && happens(wished.delay_percent)
               ? wished.delay_ms
               : delay_of_server();
}

/* ---- Delays ---- */

void faults_delay(session *self, long delay_ms)
{
    session **place = &delayed;

    self->due = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                             gpr_time_from_millis(delay_ms, GPR_TIMESPAN));
    while (*place != NULL && gpr_time_cmp((*place)->due, self->due) <= 0) {
        place = &(*place)->following;
    }
    self->following = *place;
    *place = self;
}

gpr_timespec faults_next_due(void)
{
    return delayed == NULL ? gpr_inf_future(GPR_CLOCK_MONOTONIC) : delayed->due;
}

void faults_resume(session_fn resume)
{
    while (delayed != NULL &&
           gpr_time_cmp(delayed->due, gpr_now(GPR_CLOCK_MONOTONIC)) <= 0) {
        session *self = delayed;

        delayed = self->following;
        resume(self);
    }
}

/* ---- Resets ---- */

/* As C core writes it; "" when fd is no TCP connection over IPv4. C core's own
 * sockets are of IPv6 and have such addresses mapped. */
static void write_peer(int fd, char text[64])
{
    struct sockaddr_in6 address;
    socklen_t size = sizeof address;
    char host[INET_ADDRSTRLEN] = "";
    const void *bytes = address.sin6_addr.s6_addr + 12;

    memset(&address, 0, sizeof address);
    text[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&address, &size) == 0 &&
        address.sin6_family == AF_INET6 &&
        IN6_IS_ADDR_V4MAPPED(&address.sin6_addr) &&
        inet_ntop(AF_INET, bytes, host, sizeof host) != NULL) {
        (void)snprintf(text, 64, "ipv4:%s:%d", host, ntohs(address.sin6_port));
    }
}

/* -1: none has it. */
static int find_peer(const char *peer)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    int found = -1;

    if (folder == NULL) {
        return -1;
    }
    while (found < 0 && (entry = readdir(folder)) != NULL) {
        const int fd = (int)strtol(entry->d_name, NULL, 10);
        char text[64];

        write_peer(fd, text);
        if (strcmp(text, peer) == 0) {
            found = fd;
        }
    }
    (void)closedir(folder);
    return found;
}

bool faults_reset(const session *self)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    char *peer = grpc_call_get_peer(self->call);
    const int fd = find_peer(peer);

    gpr_free(peer);
    /* Disconnects by a reset, and leaves the descriptor to C core. */
    return fd >= 0 && connect(fd, &none, sizeof none) == 0;
}
