/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of an admin socket in a folder of the test's own. */
#ifndef MUSTER_TESTS_ADMIN_FIXTURE_H
#define MUSTER_TESTS_ADMIN_FIXTURE_H

#include "channel_fixture.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ADMIN_LINE_MAX = 4 << 20 };

typedef struct admin_place {
    char folder[32];
    char path[64];
    char address[80]; /* "unix:" and path */
} admin_place;

static inline void admin_place_make(admin_place *place)
{
    strcpy(place->folder, "/tmp/muster-admin-XXXXXX");
    cr_assert_not_null(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof place->path, "%s/socket", place->folder);
    (void)snprintf(place->address, sizeof place->address, "unix:%s",
                   place->path);
}

static inline void admin_place_remove(const admin_place *place)
{
    (void)unlink(place->path);
    cr_expect_eq(rmdir(place->folder), 0, "something is left there");
}

static inline void admin_listen(const admin_place *place)
{
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(muster_admin_listen(place->address, &err), MUSTER_OK, "%s",
                 err.message);
}

static inline struct sockaddr_un admin_sockaddr(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, path);
    return address;
}

/* -1: refused. */
static inline int admin_try_connect(const char *path)
{
    const struct sockaddr_un address = admin_sockaddr(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static inline int admin_connect(const char *path)
{
    int fd = admin_try_connect(path);

    cr_assert_geq(fd, 0, "%s", strerror(errno));
    return fd;
}

static inline void admin_send(int fd, const char *text)
{
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
                 (ssize_t)strlen(text));
}

/* The next line, without its newline; NULL: the connection has ended. It is
 * kept until the next one. */
static inline const char *admin_line(int fd)
{
    static char line[ADMIN_LINE_MAX];
    size_t n = 0;

    while (n < sizeof line) {
        struct pollfd readable = {fd, POLLIN, 0};

        cr_assert_eq(poll(&readable, 1, 30000), 1, "no answer");
        if (recv(fd, line + n, 1, 0) != 1) {
            return NULL;
        }
        if (line[n] == '\n') {
            line[n] = '\0';
            return line;
        }
        n++;
    }
    return NULL;
}

static inline const char *admin_ask(int fd, const char *request)
{
    const char *line;

    admin_send(fd, request);
    line = admin_line(fd);
    cr_assert_not_null(line);
    return line;
}

#endif
