/* SPDX-License-Identifier: Apache-2.0 */
/* Lets clients of the admin socket in. */
#include "server.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <muster/resolver.h>

#include <fork.h>
#include <log_internal.h>
#include <loop.h>
#include <timing.h>

#include "client.h"

enum { N_CLIENTS = 8 };

/* Without a descriptor for it, who waits would wake the loop again at once. */
#define PAUSE_MS 1000u

static const char full_text[] =
    "{\"schema_version\":1,\"error\":\"too many clients: at most 8\"}\n";

/* Control thread only. */
static struct {
    int fd;
    muster__poll *poll;
    muster__timer *pause;
    muster__admin_client *clients[N_CLIENTS];
} server;

/* The file's mode keeps others out, but could have been changed since. */
static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return false;
    }
    if (peer.uid != 0 && peer.uid != geteuid()) {
        muster__log(MUSTER_LOG_WARNING,
                    "admin socket: user %lu was not answered",
                    (unsigned long)peer.uid);
        return false;
    }
    return true;
}

static muster__admin_client **free_place(void)
{
    for (size_t i = 0; i < N_CLIENTS; i++) {
        if (server.clients[i] == NULL) {
            return &server.clients[i];
        }
    }
    return NULL;
}

static void let_in(int fd)
{
    muster__admin_client **place = free_place();

    if (!may_ask(fd)) {
        muster__fork_private_close(fd);
        return;
    }
    if (place == NULL) {
        (void)send(fd, full_text, strlen(full_text),
                   MSG_NOSIGNAL | MSG_DONTWAIT);
        muster__fork_private_close(fd);
        return;
    }
    if (muster__admin_client_create(fd, place) != MUSTER_OK) {
        muster__fork_private_close(fd);
    }
}

static void take_a_pause(int error)
{
    muster__log(MUSTER_LOG_WARNING, "admin socket: %s", strerror(error));
    if (muster__poll_start(server.poll, 0) == MUSTER_OK) {
        muster__timer_start(server.pause, muster__timing_wait_ms(PAUSE_MS));
    }
}

static void on_pause_over(void *unused)
{
    (void)unused;
    (void)muster__poll_start(server.poll, MUSTER_READABLE);
}

/* One a turn: the loop comes again while somebody waits. */
static void on_ready(void *unused, int fd, unsigned events)
{
    int client = muster__fork_private_accept(fd, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)unused;
    (void)events;
    if (client >= 0) {
        let_in(client);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
               errno == ENOBUFS) {
        take_a_pause(errno);
    }
}

muster_status muster__admin_server_start(int fd)
{
    muster_status status =
        muster__timer_create(on_pause_over, NULL, &server.pause);

    if (status == MUSTER_OK) {
        status = muster__poll_create(fd, on_ready, NULL, &server.poll);
    }
    if (status == MUSTER_OK) {
        status = muster__poll_start(server.poll, MUSTER_READABLE);
    }
    if (status != MUSTER_OK) {
        muster__poll_destroy(server.poll);
        muster__timer_destroy(server.pause);
        server.poll = NULL;
        server.pause = NULL;
        return status;
    }
    server.fd = fd;
    return MUSTER_OK;
}

void muster__admin_server_stop(void)
{
    for (size_t i = 0; i < N_CLIENTS; i++) {
        muster__admin_client_destroy(server.clients[i]);
    }
    muster__timer_destroy(server.pause);
    muster__poll_destroy(server.poll);
    muster__fork_private_close(server.fd);
    server.poll = NULL;
    server.pause = NULL;
}
