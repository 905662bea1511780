/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a process that runs, on its admin socket. */
#include "admin_client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)64 << 20)

enum { SCHEMA_VERSION = 1, FIRST_SIZE = 1 << 16 };

struct admin_client {
    int fd;
    char *text; /* of the answer, so far */
    size_t size;
    size_t length;
};

/* ---- where ---- */

const char *admin_client_path(const char *address, muster_error *err)
{
    static const char scheme[] = "unix:";
    const bool is_given = address != NULL;

    if (!is_given) {
        address = getenv("MUSTER_ADMIN");
    }
    if (address == NULL || address[0] == '\0') {
        (void)muster_error_set(err, MUSTER_INVAL,
                               "which process? Say --socket PATH, or set "
                               "MUSTER_ADMIN");
        return NULL;
    }
    if (strncmp(address, scheme, strlen(scheme)) == 0) {
        address += strlen(scheme);
    }
    if (!is_given && strchr(address, '%') != NULL) {
        (void)muster_error_set(err, MUSTER_INVAL,
                               "MUSTER_ADMIN stands for many processes: say "
                               "--socket PATH");
        return NULL;
    }
    return address;
}

static muster_status fail_to_connect(int error, muster_error *err)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return muster_error_set(err, MUSTER_PERMISSION,
                                "%s: only its user and root may ask a process",
                                strerror(error));
    case ECONNREFUSED:
        return muster_error_set(err, MUSTER_UNAVAILABLE,
                                "nobody answers: the process has gone, or that "
                                "is no socket");
    case EAGAIN:
        return muster_error_set(err, MUSTER_UNAVAILABLE,
                                "nobody answers: too many wait already");
    default:
        return muster_error_set(err, MUSTER_UNAVAILABLE, "%s", strerror(error));
    }
}

/* Connecting to a local socket does not take time: it can, or it cannot. */
static muster_status connect_to(const char *path, int *ret_fd,
                                muster_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        return muster_error_set(err, MUSTER_INVAL,
                                "the path of a socket has at most %zu bytes",
                                sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return muster_error_set(err, MUSTER_UNAVAILABLE, "%s", strerror(errno));
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;

        (void)close(fd);
        return fail_to_connect(error, err);
    }
    *ret_fd = fd;
    return MUSTER_OK;
}

muster_status admin_client_create(const char *path, admin_client **ret_client,
                                  muster_error *err)
{
    admin_client *client = calloc(1, sizeof *client);
    muster_status status;

    if (client == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    status = connect_to(path, &client->fd, err);
    if (status != MUSTER_OK) {
        free(client);
        return status;
    }
    *ret_client = client;
    return MUSTER_OK;
}

void admin_client_destroy(admin_client *client)
{
    if (client != NULL) {
        (void)close(client->fd);
        free(client->text);
        free(client);
    }
}

/* ---- asking ---- */

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Whether one of events came in time, or the end. */
static bool await(const admin_client *client, short events,
                  uint64_t deadline_ms)
{
    struct pollfd ready = {client->fd, events, 0};

    for (;;) {
        const uint64_t now = now_ms();
        const uint64_t left = now < deadline_ms ? deadline_ms - now : 0;
        const int n = poll(&ready, 1, left < 60000 ? (int)left : 60000);

        if (n > 0) {
            return true;
        }
        if (left == 0) {
            return false;
        }
    }
}

static muster_status late(muster_error *err)
{
    return muster_error_set(err, MUSTER_TIMEOUT, "no answer in time");
}

static bool has_to_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static muster_status gone(muster_error *err)
{
    return muster_error_set(err, MUSTER_UNAVAILABLE,
                            "the process has closed the connection");
}

static muster_status send_line(const admin_client *client, const char *request,
                               uint64_t deadline_ms, muster_error *err)
{
    char line[256];
    const size_t length = (size_t)snprintf(line, sizeof line, "%s\n", request);
    size_t n_sent = 0;
    muster_status status = MUSTER_OK;

    while (status == MUSTER_OK && n_sent < length) {
        ssize_t n =
            send(client->fd, line + n_sent, length - n_sent, MSG_NOSIGNAL);

        if (n >= 0) {
            n_sent += (size_t)n;
        } else if (has_to_wait()) {
            status =
                await(client, POLLOUT, deadline_ms) ? MUSTER_OK : late(err);
        } else {
            status = gone(err);
        }
    }
    return status;
}

static bool make_room(admin_client *client)
{
    size_t size = client->size == 0 ? FIRST_SIZE : client->size * 2;
    char *text;

    if (client->length < client->size) {
        return true;
    }
    text = realloc(client->text, size);
    if (text != NULL) {
        client->text = text;
        client->size = size;
    }
    return text != NULL;
}

/* What came: is it the end of the line? */
static bool read_some(admin_client *client, ssize_t *ret_n)
{
    char *to = client->text + client->length;

    *ret_n = recv(client->fd, to, client->size - client->length, 0);
    if (*ret_n <= 0) {
        return false;
    }
    client->length += (size_t)*ret_n;
    return memchr(to, '\n', (size_t)*ret_n) != NULL;
}

static muster_status read_line(admin_client *client, uint64_t deadline_ms,
                               muster_error *err)
{
    muster_status status = MUSTER_OK;
    ssize_t n = 0;

    client->length = 0;
    while (status == MUSTER_OK) {
        if (client->length > ANSWER_MAX) {
            return muster_error_set(err, MUSTER_PROTOCOL,
                                    "it answered more than 64 MiB");
        }
        if (!make_room(client)) {
            return muster_error_set(err, MUSTER_NOMEM, "out of memory");
        }
        if (read_some(client, &n)) {
            return MUSTER_OK;
        }
        if (n == 0 || (n < 0 && !has_to_wait())) {
            return gone(err);
        }
        if (n < 0 ? !await(client, POLLIN, deadline_ms)
                  : now_ms() >= deadline_ms /* it dribbles */) {
            status = late(err);
        }
    }
    return status;
}

/* One line, and nothing behind it: an object of the schema that we know. */
static muster_status parse(const admin_client *client, json_t **ret_answer,
                           muster_error *err)
{
    json_error_t error;
    json_t *json = json_loadb(client->text, client->length, 0, &error);
    const char *refusal = json_string_value(json_object_get(json, "error"));

    if (!json_is_object(json)) {
        json_decref(json);
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "it answered something else than JSON");
    }
    if (json_integer_value(json_object_get(json, "schema_version")) !=
        SCHEMA_VERSION) {
        json_decref(json);
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "it answered in a schema that this muster does "
                                "not know");
    }
    if (refusal != NULL) {
        (void)muster_error_set(err, MUSTER_UNAVAILABLE, "it says: %s", refusal);
        json_decref(json);
        return MUSTER_UNAVAILABLE;
    }
    *ret_answer = json;
    return MUSTER_OK;
}

muster_status admin_client_ask(admin_client *client, const char *request,
                               uint64_t timeout_ms, json_t **ret_answer,
                               muster_error *err)
{
    /* The present millisecond has begun already. */
    const uint64_t deadline_ms = now_ms() + timeout_ms + 1;
    muster_status status = send_line(client, request, deadline_ms, err);
    muster_error read_err;

    /* Who is not let in gets told why: that is there to be read, also when what
     * we sent was not taken. */
    if (status == MUSTER_OK || status == MUSTER_UNAVAILABLE) {
        muster_status read = read_line(client, deadline_ms, &read_err);

        if (read == MUSTER_OK) {
            return parse(client, ret_answer, err);
        }
        if (status == MUSTER_OK && err != NULL) {
            *err = read_err;
        }
        status = status == MUSTER_OK ? read : status;
    }
    return status;
}

/* What each reader of a channel needs. */
static muster_status check_channels(const json_t *answer, muster_error *err)
{
    const json_t *channels = json_object_get(answer, "channels");
    size_t index;
    const json_t *channel;

    if (!json_is_array(channels)) {
        return muster_error_set(err, MUSTER_PROTOCOL,
                                "the answer has no channels");
    }
    json_array_foreach(channels, index, channel)
    {
        if (!json_is_string(json_object_get(channel, "target")) ||
            !json_is_string(json_object_get(channel, "state"))) {
            return muster_error_set(err, MUSTER_PROTOCOL,
                                    "a channel has no target or no state");
        }
    }
    return MUSTER_OK;
}

muster_status admin_client_ask_channels(admin_client *client,
                                        uint64_t timeout_ms,
                                        json_t **ret_answer, muster_error *err)
{
    json_t *answer = NULL;
    muster_status status =
        admin_client_ask(client, "channels", timeout_ms, &answer, err);

    if (status == MUSTER_OK) {
        status = check_channels(answer, err);
    }
    if (status != MUSTER_OK) {
        json_decref(answer);
        return status;
    }
    *ret_answer = answer;
    return MUSTER_OK;
}

muster_status admin_client_pause(const admin_client *client, uint64_t pause_ms,
                                 muster_error *err)
{
    return await(client, POLLIN, now_ms() + pause_ms) ? gone(err) : MUSTER_OK;
}
