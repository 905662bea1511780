/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the admin socket. Its name appears when it has its mode and
 * listens already: whoever finds a socket there on which nobody listens has
 * found one of a process that is gone. */
#include "socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fork.h>
#include <loop.h>

enum { BACKLOG = 8 };

/* What this process has made. Guarded by lock. */
static struct {
    pthread_mutex_t lock;
    bool is_made;
    bool is_watched; /* exit() removes it */
    struct stat file;
    muster__socket_path path;
} ours = {.lock = PTHREAD_MUTEX_INITIALIZER};

typedef struct new_socket {
    int fd;
    struct sockaddr_un address; /* a name of its own, for the time being */
    struct stat file;
} new_socket;

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static muster_status failed(const char *path, int error, muster_error *err)
{
    muster_status status = MUSTER_UNAVAILABLE;

    if (error == EACCES || error == EPERM || error == EROFS) {
        status = MUSTER_PERMISSION;
    } else if (error == ENOMEM) {
        status = MUSTER_NOMEM;
    }
    return muster_error_set(err, status, "admin socket %s: %s", path,
                            strerror(error));
}

/* ---- what is there ---- */

/* Connecting to it does not wait: a full queue is somebody's, too. */
static bool is_answered(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_refused = false;

    if (fd >= 0) {
        memcpy(address.sun_path, path, strlen(path) + 1);
        is_refused = connect(fd, (const struct sockaddr *)&address,
                             sizeof address) != 0 &&
                     errno == ECONNREFUSED;
        (void)close(fd);
    }
    return !is_refused;
}

/* Puts the new socket where a dead one, old, is. Should there be another by
 * now, which a process that started at the same time has put there, that stays.
 */
static muster_status replace(const char *name, const char *path,
                             const struct stat *old, muster_error *err)
{
    struct stat taken;

    if (renameat2(AT_FDCWD, name, AT_FDCWD, path, RENAME_EXCHANGE) != 0) {
        /* A file system that cannot exchange. */
        return rename(name, path) == 0 ? MUSTER_OK : failed(path, errno, err);
    }
    if (lstat(name, &taken) == 0 && !is_same(&taken, old)) {
        (void)renameat2(AT_FDCWD, name, AT_FDCWD, path, RENAME_EXCHANGE);
        return muster_error_set(err, MUSTER_BUSY,
                                "admin socket %s: another process has just "
                                "made its own",
                                path);
    }
    return MUSTER_OK;
}

static muster_status take_place(const char *name, const char *path,
                                muster_error *err)
{
    struct stat old;

    if (lstat(path, &old) != 0) {
        return failed(path, errno, err);
    }
    if (!S_ISSOCK(old.st_mode) || old.st_uid != geteuid()) {
        return muster_error_set(err, MUSTER_PERMISSION,
                                "admin socket %s: there is a file that is not "
                                "a socket of this user's",
                                path);
    }
    if (is_answered(path)) {
        return muster_error_set(err, MUSTER_BUSY,
                                "admin socket %s: another process answers "
                                "there; \"%%p\" in the path is replaced by the "
                                "number of the process",
                                path);
    }
    return replace(name, path, &old, err);
}

/* ---- a new one ---- */

/* On Linux a socket's file gets the mode of the socket, less the umask: so
 * there is no moment at which it has another, and the umask, which is the whole
 * process's, stays as it is. Where that does not hold, it is found out. */
static int bind_private(new_socket *made)
{
    if (fchmod(made->fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(made->fd, (const struct sockaddr *)&made->address,
             sizeof made->address) != 0) {
        return errno;
    }
    if (lstat(made->address.sun_path, &made->file) != 0) {
        return errno;
    }
    if ((made->file.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return EPERM;
    }
    return listen(made->fd, BACKLOG) == 0 ? 0 : errno;
}

static muster_status open_new(const char *path, new_socket *made,
                              muster_error *err)
{
    int error;

    made->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(made->address.sun_path, sizeof made->address.sun_path,
                   "%s.%08x", path, (unsigned)(uint32_t)muster__random());
    made->fd = muster__fork_private_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
                                                        SOCK_NONBLOCK);
    if (made->fd < 0) {
        return failed(path, errno, err);
    }
    error = bind_private(made);
    if (error != 0) {
        muster__fork_private_close(made->fd);
        if (error != EADDRINUSE) { /* else it is somebody's */
            (void)unlink(made->address.sun_path);
        }
        return failed(path, error, err);
    }
    return MUSTER_OK;
}

/* ---- what is ours ---- */

static void remember(const muster__socket_path *path, const struct stat *file)
{
    (void)pthread_mutex_lock(&ours.lock);
    if (!ours.is_watched) {
        ours.is_watched = atexit(muster__socket_file_remove) == 0;
    }
    ours.path = *path;
    ours.file = *file;
    ours.is_made = true;
    (void)pthread_mutex_unlock(&ours.lock);
}

void muster__socket_file_remove(void)
{
    struct stat file;

    if (muster__is_forked()) {
        return; /* it is the parent's, and so may be the lock */
    }
    (void)pthread_mutex_lock(&ours.lock);
    if (ours.is_made && lstat(ours.path.text, &file) == 0 &&
        is_same(&file, &ours.file)) {
        (void)unlink(ours.path.text);
    }
    ours.is_made = false;
    (void)pthread_mutex_unlock(&ours.lock);
}

muster_status muster__socket_file_create(const muster__socket_path *path,
                                         int *ret_fd, muster_error *err)
{
    new_socket made;
    muster_status status = open_new(path->text, &made, err);

    if (status != MUSTER_OK) {
        return status;
    }
    if (link(made.address.sun_path, path->text) != 0) {
        status = errno == EEXIST
                     ? take_place(made.address.sun_path, path->text, err)
                     : failed(path->text, errno, err);
    }
    (void)unlink(made.address.sun_path);
    if (status != MUSTER_OK) {
        muster__fork_private_close(made.fd);
        return status;
    }
    remember(path, &made.file);
    *ret_fd = made.fd;
    return MUSTER_OK;
}
