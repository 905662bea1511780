/* SPDX-License-Identifier: Apache-2.0 */
/* Where an admin socket is to be. */
#include "socket_path.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <text.h>

static const char scheme[] = "unix:";

/* A path without "%p" and "%%". False: it does not fit, or has another "%". */
static bool expand(const char *from, muster__socket_path *path)
{
    size_t n = 0;

    while (*from != '\0') {
        size_t left = sizeof path->text - n;
        int added;

        if (from[0] != '%') {
            added = snprintf(path->text + n, left, "%c", from[0]);
        } else if (from[1] == 'p') {
            added = snprintf(path->text + n, left, "%ld", (long)getpid());
        } else if (from[1] == '%') {
            added = snprintf(path->text + n, left, "%%");
        } else {
            return false;
        }
        if (added < 0 || (size_t)added >= left) {
            return false;
        }
        from += from[0] == '%' ? 2 : 1;
        n += (size_t)added;
    }
    path->text[n] = '\0';
    return true;
}

static const char *fault(const char *address, muster__socket_path *path)
{
    const char *rest = address + strlen(scheme);

    if (strncmp(address, scheme, strlen(scheme)) != 0) {
        return "it must begin with \"unix:\"";
    }
    if (rest[0] == '@') {
        return "an abstract socket has no mode: every user of the machine "
               "could connect to it";
    }
    if (rest[0] != '/') {
        return "the path must be absolute: a program may change its folder";
    }
    if (rest[strlen(rest) - 1] == '/' ||
        !muster__is_clean_text(rest, strlen(rest))) {
        return "that is no path of a socket";
    }
    if (!expand(rest, path)) {
        return "the path may have 98 bytes, and of \"%\" only \"%p\" and "
               "\"%%\"";
    }
    return NULL;
}

muster_status muster__socket_path_read(const char *address,
                                       muster__socket_path *ret_path,
                                       muster_error *err)
{
    muster__socket_path path;
    const char *reason;

    if (address == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "an admin socket needs an address");
    }
    reason = fault(address, &path);
    if (reason != NULL) {
        return muster_error_set(err, MUSTER_INVAL, "admin socket %s: %s",
                                muster__quote(address).text, reason);
    }
    *ret_path = path;
    return MUSTER_OK;
}
