/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody who is connected to the admin socket. One answer at a time is kept
 * for it, and it is not read from meanwhile: so whatever it sends and however
 * slowly it reads, there is one line of it and one of ours. */
#include "client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <muster/resolver.h>

#include <fork.h>
#include <log_internal.h>
#include <loop.h>
#include <timing.h>

#include "answer.h"

enum { REQUEST_MAX = 256 }; /* bytes, with the newline */

/* Who reads nothing for so long while there is something to read is dropped. */
#define PATIENCE_MS 5000u

struct muster__admin_client {
    muster__admin_client **place;
    muster__poll *poll;
    muster__timer *timer;
    int fd;
    bool is_last; /* after this answer the connection is closed */
    size_t n_read;
    char request[REQUEST_MAX];
    char *answer; /* that is sent; or NULL */
    size_t n_sent;
    size_t n_answer;
};

void muster__admin_client_destroy(muster__admin_client *client)
{
    if (client == NULL) {
        return;
    }
    *client->place = NULL;
    muster__timer_destroy(client->timer);
    muster__poll_destroy(client->poll);
    muster__fork_private_close(client->fd);
    free(client->answer);
    free(client);
}

static void on_timer(void *arg)
{
    muster__log(MUSTER_LOG_WARNING,
                "admin socket: a client that does not read was dropped");
    muster__admin_client_destroy(arg);
}

/* ---- answering ---- */

static bool has_to_wait(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static bool await(muster__admin_client *client, unsigned events)
{
    return muster__poll_start(client->poll, events) == MUSTER_OK;
}

/* False: it is of no more use. */
static bool send_some(muster__admin_client *client)
{
    while (client->n_sent < client->n_answer) {
        ssize_t n = send(client->fd, client->answer + client->n_sent,
                         client->n_answer - client->n_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && has_to_wait(errno)) {
            return await(client, MUSTER_WRITABLE);
        }
        if (n <= 0) {
            return false;
        }
        client->n_sent += (size_t)n;
        muster__timer_start(client->timer, muster__timing_wait_ms(PATIENCE_MS));
    }
    muster__timer_stop(client->timer);
    free(client->answer);
    client->answer = NULL;
    return !client->is_last && await(client, MUSTER_READABLE);
}

static bool answer(muster__admin_client *client, const char *request,
                   size_t length)
{
    client->answer = muster__admin_answer(request, length);
    if (client->answer == NULL) {
        muster__log(MUSTER_LOG_WARNING, "admin socket: out of memory");
        return false;
    }
    client->n_sent = 0;
    client->n_answer = strlen(client->answer);
    muster__timer_start(client->timer, muster__timing_wait_ms(PATIENCE_MS));
    return send_some(client);
}

/* ---- reading ---- */

/* Reads up to the end of a line at most: what follows waits in the socket.
 * False: it has gone. */
static bool read_some(muster__admin_client *client)
{
    char *to = client->request + client->n_read;
    size_t room = sizeof client->request - client->n_read;
    ssize_t n = recv(client->fd, to, room, MSG_PEEK | MSG_DONTWAIT);
    const char *newline;

    if (n > 0) {
        newline = memchr(to, '\n', (size_t)n);
        n = recv(client->fd, to,
                 newline == NULL ? (size_t)n : (size_t)(newline - to) + 1,
                 MSG_DONTWAIT);
    }
    if (n > 0) {
        client->n_read += (size_t)n;
    }
    return n > 0 || (n < 0 && has_to_wait(errno));
}

static bool heed(muster__admin_client *client)
{
    size_t n;

    if (!read_some(client)) {
        return false;
    }
    n = client->n_read;
    if (n > 0 && client->request[n - 1] == '\n') {
        client->n_read = 0;
        return answer(client, client->request, n - 1);
    }
    if (n == sizeof client->request) {
        client->is_last = true;
        return answer(client, NULL, 0);
    }
    return true;
}

static void on_ready(void *arg, int fd, unsigned events)
{
    muster__admin_client *client = arg;

    (void)fd;
    (void)events; /* only what is waited for is watched */
    if (!(client->answer == NULL ? heed(client) : send_some(client))) {
        muster__admin_client_destroy(client);
    }
}

muster_status muster__admin_client_create(int fd, muster__admin_client **place)
{
    muster__admin_client *client = calloc(1, sizeof *client);
    muster_status status = MUSTER_NOMEM;

    if (client == NULL) {
        return MUSTER_NOMEM;
    }
    status = muster__timer_create(on_timer, client, &client->timer);
    if (status == MUSTER_OK) {
        status = muster__poll_create(fd, on_ready, client, &client->poll);
    }
    if (status == MUSTER_OK) {
        status = muster__poll_start(client->poll, MUSTER_READABLE);
    }
    if (status != MUSTER_OK) {
        muster__poll_destroy(client->poll);
        muster__timer_destroy(client->timer);
        free(client);
        return status;
    }
    client->fd = fd;
    client->place = place;
    *place = client;
    return MUSTER_OK;
}
