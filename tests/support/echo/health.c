/* SPDX-License-Identifier: Apache-2.0 */
/* The service grpc.health.v1.Health. */
#include "health.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

#include "counts.h"
#include "session.h"

enum { MAX_SERVICES = 64, NAME_SIZE = 128 };

/* ServingStatus of the protocol. */
typedef enum serving { UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN } serving;

static const char *const serving_names[] = {"UNKNOWN", "SERVING", "NOT_SERVING",
                                            "SERVICE_UNKNOWN"};

typedef struct service {
    char name[NAME_SIZE];
    serving status;
} service;

/* A Watch, from its beginning to when the client or the connection is gone. */
typedef struct watch watch;
struct watch {
    session *call;
    char name[NAME_SIZE];
    int told;        /* the last status sent; -1: none */
    bool is_sending; /* a batch is under way */
    bool is_ended;   /* its status has been sent, or is being sent */
    bool is_closed;  /* the call is over */
    grpc_slice text; /* of its status, while that is being sent */
    watch *following;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the rest */
static service services[MAX_SERVICES];
static size_t n_services;
static watch *watches;
static grpc_status_code failure = GRPC_STATUS_OK;

static void begin_check(session *call);
static void begin_watch(session *call);

static session_method check = {.path = "/grpc.health.v1.Health/Check",
                               .begin = begin_check,
                               .reads_message = true};
static session_method watching = {.path = "/grpc.health.v1.Health/Watch",
                                  .begin = begin_watch,
                                  .reads_message = true};

/* ---- Messages ---- */

/* HealthCheckRequest: at most one field, 1, a string. Writes "" when the
 * message has none, and what no service is named when it is not understood. */
static void read_name(grpc_byte_buffer *message, char name[NAME_SIZE])
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice = grpc_empty_slice();
    const uint8_t *bytes;
    size_t length;

    if (message != NULL && grpc_byte_buffer_reader_init(&reader, message)) {
        slice = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    bytes = GRPC_SLICE_START_PTR(slice);
    length = GRPC_SLICE_LENGTH(slice);
    (void)snprintf(name, NAME_SIZE, "%s", length == 0 ? "" : "?");
    /* A length under 128 is one byte. */
    if (length >= 2 && bytes[0] == 0x0a && bytes[1] == length - 2 &&
        bytes[1] < NAME_SIZE) {
        memcpy(name, bytes + 2, length - 2);
        name[length - 2] = '\0';
    }
    grpc_slice_unref(slice);
}

/* HealthCheckResponse: field 1, a number. 0, the default, is written, too. */
static grpc_byte_buffer *make_response(serving status)
{
    const char bytes[2] = {0x08, (char)status};
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes, sizeof bytes);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    return message;
}

/* ---- Services ---- */

static service *find_locked(const char *name)
{
    for (size_t i = 0; i < n_services; i++) {
        if (strcmp(services[i].name, name) == 0) {
            return &services[i];
        }
    }
    return NULL;
}

static serving status_of_locked(const char *name)
{
    const service *found = find_locked(name);

    return found == NULL ? SERVICE_UNKNOWN : found->status;
}

/* NULL: there are too many. */
static service *find_or_add_locked(const char *name)
{
    service *found = find_locked(name);

    if (found == NULL && n_services < MAX_SERVICES) {
        found = &services[n_services++];
        (void)snprintf(found->name, NAME_SIZE, "%s", name);
    }
    return found;
}

/* -1: none. */
static int parse_serving(const char *text)
{
    for (int i = 0; i < (int)(sizeof serving_names / sizeof *serving_names);
         i++) {
        if (strcmp(text, serving_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

bool health_is_status(const char *status)
{
    return parse_serving(status) >= 0;
}

/* ---- Check ---- */

static void begin_check(session *call)
{
    char name[NAME_SIZE];
    grpc_byte_buffer *message;
    bool is_known;

    counts_add(COUNT_HEALTH_CALLS);
    read_name(call->message, name);
    (void)pthread_mutex_lock(&mutex);
    call->status = failure;
    is_known = find_locked(name) != NULL;
    message = make_response(status_of_locked(name));
    (void)pthread_mutex_unlock(&mutex);
    if (call->status == GRPC_STATUS_OK && !is_known) {
        call->status = GRPC_STATUS_NOT_FOUND;
        call->text = grpc_slice_from_static_string("unknown service");
    }
    session_answer(call, message);
    grpc_byte_buffer_destroy(message);
}

/* ---- Watch ---- */

static void go_on_locked(watch *self);

static void remove_locked(const watch *self)
{
    watch **place = &watches;

    while (*place != self) {
        place = &(*place)->following;
    }
    *place = self->following;
}

/* After each event: unlocks, and ends the watch when nothing is to come. */
static void unlock_and_end(watch *self)
{
    session *call = self->call;
    const bool is_over = self->is_closed && !self->is_sending;

    if (is_over) {
        remove_locked(self);
    }
    (void)pthread_mutex_unlock(&mutex);
    if (is_over) {
        counts_subtract(COUNT_WATCHES);
        free(self);
        session_end(call);
    }
}

static void on_sent(session *call, bool ok)
{
    watch *self = call->extra;

    (void)ok; /* that the call is over comes by the other batch */
    (void)pthread_mutex_lock(&mutex);
    self->is_sending = false;
    go_on_locked(self);
    unlock_and_end(self);
}

static void on_closed(session *call, bool ok)
{
    watch *self = call->extra;

    (void)ok;
    (void)pthread_mutex_lock(&mutex);
    self->is_closed = true;
    unlock_and_end(self);
}

static void send_locked(watch *self, grpc_op *ops, size_t n_ops)
{
    self->is_sending = true;
    session_batch(self->call, ops, n_ops, on_sent);
}

static void send_end_locked(watch *self)
{
    grpc_op ops[2];
    size_t n_ops = 0;

    memset(ops, 0, sizeof ops);
    if (self->told < 0) {
        session_set_initial(self->call, &ops[n_ops++]);
    }
    self->is_ended = true;
    self->call->status = failure;
    session_set_status(self->call, &ops[n_ops++], &self->text);
    send_locked(self, ops, n_ops);
}

static void send_status_locked(watch *self, serving status)
{
    grpc_byte_buffer *message = make_response(status);
    grpc_op ops[2];
    size_t n_ops = 0;

    memset(ops, 0, sizeof ops);
    if (self->told < 0) {
        session_set_initial(self->call, &ops[n_ops++]);
    }
    ops[n_ops].op = GRPC_OP_SEND_MESSAGE;
    ops[n_ops++].data.send_message.send_message = message;
    self->told = (int)status;
    send_locked(self, ops, n_ops);
    grpc_byte_buffer_destroy(message);
}

/* Sends what there is to be sent, if anything. */
static void go_on_locked(watch *self)
{
    const serving status = status_of_locked(self->name);

    if (self->is_sending || self->is_ended || self->is_closed) {
        return;
    }
    if (failure != GRPC_STATUS_OK) {
        send_end_locked(self);
    } else if (self->told != (int)status) {
        send_status_locked(self, status);
    }
}

static void begin_watch(session *call)
{
    watch *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    counts_add(COUNT_HEALTH_CALLS);
    counts_add(COUNT_WATCHES);
    self->call = call;
    self->told = -1;
    read_name(call->message, self->name);
    call->extra = self;
    (void)pthread_mutex_lock(&mutex);
    self->following = watches;
    watches = self;
    session_await_closed(call, on_closed);
    go_on_locked(self);
    (void)pthread_mutex_unlock(&mutex);
}

/* ---- From outside ---- */

static void tell_all_locked(void)
{
    for (watch *each = watches; each != NULL; each = each->following) {
        go_on_locked(each);
    }
}

bool health_set(const char *name, const char *status)
{
    const int parsed = parse_serving(status);
    service *found = NULL;

    if (parsed < 0 || strlen(name) >= NAME_SIZE) {
        return false;
    }
    (void)pthread_mutex_lock(&mutex);
    found = find_or_add_locked(name);
    if (found != NULL) {
        found->status = (serving)parsed;
        tell_all_locked();
    }
    (void)pthread_mutex_unlock(&mutex);
    return found != NULL;
}

void health_fail(grpc_status_code code)
{
    (void)pthread_mutex_lock(&mutex);
    failure = code;
    tell_all_locked();
    (void)pthread_mutex_unlock(&mutex);
}

void health_register(grpc_server *server)
{
    session_register(server, &check);
    session_register(server, &watching);
}

void health_ask(grpc_server *server, grpc_completion_queue *queue)
{
    session_ask(server, queue, &check);
    session_ask(server, queue, &watching);
}
