/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket's file, and its life. */
#include "admin_fixture.h"

#include <admin/socket_file.h>
#include <pthread.h>
#include <sys/wait.h>

TestSuite(admin_socket, .timeout = 60);

static mode_t mode_of(const char *path)
{
    struct stat file;

    return lstat(path, &file) == 0 ? file.st_mode : 0;
}

static void expect_no_listen(const char *address, muster_status status,
                             const char *part)
{
    muster_error err = {.code = MUSTER_OK};

    cr_expect_eq(muster_admin_listen(address, &err), status, "%s: %s", address,
                 err.message);
    cr_expect_not_null(strstr(err.message, part), "%s", err.message);
}

/* ---- where it is ---- */

Test(admin_socket, is_the_owners_alone_whatever_the_umask)
{
    admin_place place;

    admin_place_make(&place);
    (void)umask(0);
    admin_listen(&place);
    cr_expect_eq(mode_of(place.path), S_IFSOCK | 0600);
    muster_admin_close();
    cr_expect_eq(mode_of(place.path), 0);
    (void)umask(0777);
    admin_listen(&place);
    cr_expect_eq(mode_of(place.path), S_IFSOCK);
    muster_admin_close();
    admin_place_remove(&place);
}

Test(admin_socket, has_the_number_of_the_process_in_its_path)
{
    admin_place place;
    char address[96];

    admin_place_make(&place);
    (void)snprintf(address, sizeof address, "unix:%s/%%p%%%%", place.folder);
    cr_assert_eq(muster_admin_listen(address, NULL), MUSTER_OK);
    (void)snprintf(place.path, sizeof place.path, "%s/%d%%", place.folder,
                   (int)getpid());
    (void)close(admin_connect(place.path));
    muster_admin_close();
    admin_place_remove(&place);
}

Test(admin_socket, needs_an_address_that_is_one)
{
    char path[120] = "unix:/";

    expect_no_listen("/tmp/x", MUSTER_INVAL, "unix:");
    expect_no_listen("tcp:127.0.0.1:80", MUSTER_INVAL, "unix:");
    expect_no_listen("", MUSTER_INVAL, "unix:");
    expect_no_listen("unix:", MUSTER_INVAL, "absolute");
    expect_no_listen("unix:x", MUSTER_INVAL, "absolute");
    expect_no_listen("unix:@muster", MUSTER_INVAL, "no mode");
    expect_no_listen("unix:/tmp/", MUSTER_INVAL, "no path of a socket");
    expect_no_listen("unix:/tmp/a\nb", MUSTER_INVAL, "no path of a socket");
    expect_no_listen("unix:/tmp/%q", MUSTER_INVAL, "%p");
    expect_no_listen("unix:/tmp/%", MUSTER_INVAL, "%p");
    memset(path + strlen(path), 'a', 98);
    expect_no_listen(path, MUSTER_INVAL, "98 bytes");
    expect_no_listen(NULL, MUSTER_INVAL, "address");
    expect_no_listen("unix:/nowhere/socket", MUSTER_UNAVAILABLE,
                     "No such file");
}

Test(admin_socket, replaces_one_that_a_dead_process_left)
{
    admin_place place;
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    admin_place_make(&place);
    address = admin_sockaddr(place.path);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof address),
                 0);
    cr_assert_eq(listen(fd, 1), 0);
    (void)close(fd);
    admin_listen(&place);
    fd = admin_connect(place.path);
    (void)admin_ask(fd, "version\n");
    (void)close(fd);
    muster_admin_close();
    admin_place_remove(&place);
}

Test(admin_socket, leaves_one_that_is_listened_on)
{
    admin_place place;
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int waiting[2];

    admin_place_make(&place);
    address = admin_sockaddr(place.path);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof address),
                 0);
    cr_assert_eq(listen(fd, 0), 0);
    expect_no_listen(place.address, MUSTER_BUSY, "another process answers");
    for (int i = 0; i < 2; i++) { /* also when its queue is full */
        waiting[i] =
            socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(waiting[i], (const struct sockaddr *)&address,
                      sizeof address);
    }
    expect_no_listen(place.address, MUSTER_BUSY, "another process answers");
    cr_expect_eq(mode_of(place.path) & S_IFMT, S_IFSOCK);
    for (int i = 0; i < 2; i++) {
        (void)close(waiting[i]);
    }
    (void)close(fd);
    admin_place_remove(&place);
}

Test(admin_socket, leaves_what_is_no_socket)
{
    admin_place place;
    FILE *file;

    admin_place_make(&place);
    file = fopen(place.path, "we");
    cr_assert_not_null(file);
    (void)fclose(file);
    expect_no_listen(place.address, MUSTER_PERMISSION, "not a socket");
    cr_expect_eq(mode_of(place.path) & S_IFMT, S_IFREG);
    cr_assert_eq(unlink(place.path), 0);
    cr_assert_eq(symlink("/tmp", place.path), 0);
    expect_no_listen(place.address, MUSTER_PERMISSION, "not a socket");
    admin_place_remove(&place);
}

Test(admin_socket, leaves_what_took_its_place)
{
    admin_place place;
    FILE *file;

    admin_place_make(&place);
    admin_listen(&place);
    cr_assert_eq(unlink(place.path), 0);
    file = fopen(place.path, "we");
    cr_assert_not_null(file);
    (void)fclose(file);
    muster_admin_close();
    cr_expect_eq(mode_of(place.path) & S_IFMT, S_IFREG);
    admin_place_remove(&place);
}

/* Root alone can be somebody else. */
Test(admin_socket, answers_no_other_user)
{
    admin_place place;
    pid_t child;
    int status = 0;

    if (geteuid() != 0) {
        cr_skip_test("only root can be another user");
    }
    admin_place_make(&place);
    admin_listen(&place);
    cr_assert_eq(chmod(place.folder, 0755), 0);
    cr_assert_eq(chmod(place.path, 0666), 0);
    child = fork();
    if (child == 0) {
        int fd = seteuid(65534) == 0 ? admin_try_connect(place.path) : -1;
        char byte;

        (void)send(fd, "version\n", 8, MSG_NOSIGNAL);
        _exit(fd >= 0 && recv(fd, &byte, 1, 0) <= 0 ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    muster_admin_close();
    admin_place_remove(&place);
}

/* ---- its life ---- */

Test(admin_socket, is_off_by_default)
{
    muster_channel *channel;
    admin_place place;

    cr_assert_eq(unsetenv("MUSTER_ADMIN"), 0);
    admin_place_make(&place);
    channel = open_channel("static:///10.0.0.1:1", NULL);
    muster_channel_destroy(channel);
    muster_admin_close(); /* there is none */
    admin_place_remove(&place);
}

Test(admin_socket, comes_with_the_first_channel_where_the_environment_says)
{
    muster_channel *channel;
    admin_place place;
    int fd;

    admin_place_make(&place);
    cr_assert_eq(setenv("MUSTER_ADMIN", place.address, 1), 0);
    for (int i = 0; i < 2; i++) { /* and again after a shutdown */
        cr_expect_eq(mode_of(place.path), 0);
        channel = open_channel("static:///10.0.0.1:1", NULL);
        fd = admin_connect(place.path);
        (void)admin_ask(fd, "channels\n");
        muster_channel_destroy(channel);
        while (muster_shutdown() == MUSTER_BUSY) {
        }
        cr_expect_null(admin_line(fd));
        (void)close(fd);
    }
    admin_place_remove(&place);
}

static void note(void *arg, muster_log_level level, const char *message)
{
    (void)level;
    if (strstr(message, "MUSTER_ADMIN: ") != NULL) {
        *(volatile int *)arg += 1;
    }
}

Test(admin_socket, that_cannot_be_is_logged_and_disturbs_nothing)
{
    static int n_noted;
    muster_channel *channel;

    muster_log_set(note, &n_noted, MUSTER_LOG_WARNING);
    cr_assert_eq(setenv("MUSTER_ADMIN", "unix:/nowhere/socket", 1), 0);
    channel = open_channel("static:///10.0.0.1:1", NULL);
    (void)stats_of(channel);
    cr_expect_eq(n_noted, 1);
    muster_channel_destroy(channel);
}

Test(admin_socket, is_one_a_process)
{
    admin_place place;

    admin_place_make(&place);
    admin_listen(&place);
    expect_no_listen(place.address, MUSTER_BUSY, "one already");
    (void)close(admin_connect(place.path));
    muster_admin_close();
    admin_listen(&place);
    muster_admin_close();
    admin_place_remove(&place);
}

Test(admin_socket, is_not_a_childs)
{
    admin_place place;
    int orders[2];
    int status = 0;
    pid_t child;
    int fd;

    admin_place_make(&place);
    admin_listen(&place);
    fd = admin_connect(place.path);
    (void)admin_ask(fd, "version\n");
    cr_assert_eq(pipe(orders), 0);
    child = fork();
    if (child == 0) {
        char byte;

        (void)close(fd);
        (void)close(orders[1]);
        (void)!read(orders[0], &byte, 1);
        muster__socket_file_remove(); /* as exit() does */
        _exit(muster_admin_listen(place.address, NULL) == MUSTER_FORKED ? 0
                                                                        : 1);
    }
    cr_assert_gt(child, 0);
    (void)admin_ask(fd, "version\n");
    muster_admin_close();
    /* The child holds on to neither the connection nor the socket. */
    cr_expect_null(admin_line(fd));
    (void)close(fd);
    cr_expect_eq(mode_of(place.path), 0);
    admin_listen(&place);
    (void)close(orders[0]);
    (void)close(orders[1]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(admin_connect(place.path)); /* it left the file */
    muster_admin_close();
    admin_place_remove(&place);
}

/* Listening, asking and closing meet on several threads. */
static void *open_and_close(void *arg)
{
    const admin_place *place = arg;

    for (int i = 0; i < 200; i++) {
        int fd;

        (void)muster_admin_listen(place->address, NULL);
        fd = admin_try_connect(place->path);
        if (fd >= 0) {
            (void)send(fd, "channels\n", 9, MSG_NOSIGNAL);
            (void)close(fd);
        }
        muster_admin_close();
    }
    return NULL;
}

Test(admin_socket, may_be_opened_and_closed_by_several_threads)
{
    pthread_t threads[4];
    admin_place place;

    admin_place_make(&place);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, open_and_close, &place),
                     0);
    }
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
    cr_expect_eq(mode_of(place.path), 0);
    cr_assert_eq(muster_shutdown(), MUSTER_OK);
    admin_place_remove(&place);
}
