/* SPDX-License-Identifier: Apache-2.0 */
/* Watches of descriptors on the control thread. */
#include "loop_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <muster/resolver.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BOTH ((unsigned)(MUSTER_READABLE | MUSTER_WRITABLE))

TestSuite(loop_poll, .timeout = 30);

typedef struct watched {
    muster__poll *poll;
    int fd;
    unsigned wanted;
    unsigned got;
    int got_fd;
    int n_events;
    muster_status status;
    sem_t ready;
} watched;

static void start(void *arg)
{
    watched *w = (watched *)arg;

    w->status = muster__poll_start(w->poll, w->wanted);
}

/* One event is enough: a level-triggered watch would go on. */
static void on_ready(void *arg, int fd, unsigned events)
{
    watched *w = (watched *)arg;

    w->got_fd = fd;
    w->got = events;
    w->n_events++;
    (void)muster__poll_start(w->poll, 0);
    sem_post(&w->ready);
}

static void watch(void *arg)
{
    watched *w = (watched *)arg;

    sem_init(&w->ready, 0, 0);
    w->status = muster__poll_create(w->fd, on_ready, w, &w->poll);
    if (w->status == MUSTER_OK) {
        start(w);
    }
}

static void unwatch(void *arg)
{
    watched *w = (watched *)arg;

    muster__poll_destroy(w->poll);
    w->poll = NULL;
}

static void make_pair(int fds[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void send_byte(int fd)
{
    cr_assert_eq(write(fd, "x", 1), 1);
}

static void expect_events(int fd, unsigned wanted, unsigned expected)
{
    watched w = {.fd = fd, .wanted = wanted};

    on_control(watch, &w);
    cr_assert_eq(w.status, MUSTER_OK);
    wait_for(&w.ready);
    on_control(unwatch, &w);
    cr_expect_eq(w.got, expected, "got %u", w.got);
    cr_expect_eq(w.got_fd, fd);
}

Test(loop_poll, tells_readable_and_writable_apart)
{
    int fds[2];

    make_pair(fds);
    loop_open();
    expect_events(fds[0], BOTH, MUSTER_WRITABLE);
    send_byte(fds[1]);
    expect_events(fds[0], MUSTER_READABLE, MUSTER_READABLE);
    expect_events(fds[0], MUSTER_WRITABLE, MUSTER_WRITABLE);
    expect_events(fds[0], BOTH, BOTH);
    loop_close();
    (void)close(fds[0]);
    (void)close(fds[1]);
}

Test(loop_poll, a_hang_up_is_both)
{
    int fds[2];

    make_pair(fds);
    (void)close(fds[1]);
    loop_open();
    expect_events(fds[0], MUSTER_READABLE, BOTH);
    expect_events(fds[0], MUSTER_WRITABLE, BOTH);
    loop_close();
    (void)close(fds[0]);
}

Test(loop_poll, an_error_is_both)
{
    int fds[2];

    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    (void)close(fds[0]);
    loop_open();
    expect_events(fds[1], MUSTER_WRITABLE, BOTH);
    loop_close();
    (void)close(fds[1]);
}

static int refused_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int closed = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(bind(closed, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(getsockname(closed, (struct sockaddr *)&address, &size), 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, size), 0);
    (void)close(closed);
    send_byte(fd);
    return fd;
}

static int n_errors;

static void read_error(void *arg, int fd, unsigned events)
{
    watched *w = (watched *)arg;
    char byte;

    if (events == BOTH && recv(fd, &byte, 1, MSG_DONTWAIT) < 0) {
        n_errors++;
        if (n_errors < 3) {
            (void)send(fd, "x", 1, 0); /* refused once more */
        } else {
            sem_post(&w->ready);
        }
    }
}

static void watch_errors(void *arg)
{
    watched *w = (watched *)arg;

    sem_init(&w->ready, 0, 0);
    w->status = muster__poll_create(w->fd, read_error, w, &w->poll);
    if (w->status == MUSTER_OK) {
        start(w);
    }
}

Test(loop_poll, a_watch_goes_on_after_an_error_was_read)
{
    watched w = {.fd = refused_socket(), .wanted = MUSTER_READABLE};

    loop_open();
    on_control(watch_errors, &w);
    wait_for(&w.ready);
    on_control(unwatch, &w);
    loop_close();
    cr_expect_eq(n_errors, 3);
    (void)close(w.fd);
}

static void expect_refused(int fd)
{
    watched w = {.fd = fd, .wanted = MUSTER_READABLE};

    on_control(watch, &w);
    cr_expect_eq(w.status, MUSTER_INVAL);
    cr_expect_null(w.poll);
}

Test(loop_poll, what_cannot_be_polled_is_invalid)
{
    char path[] = "/tmp/muster-poll-XXXXXX";
    int file = mkstemp(path);

    cr_assert_geq(file, 0);
    (void)unlink(path);
    loop_open();
    expect_refused(file);
    expect_refused(-1);
    (void)close(file);
    expect_refused(file); /* closed */
    loop_close();
}

Test(loop_poll, a_second_watch_of_a_descriptor_is_invalid)
{
    watched w = {.wanted = MUSTER_READABLE};
    int fds[2];

    make_pair(fds);
    w.fd = fds[0];
    loop_open();
    on_control(watch, &w);
    expect_refused(fds[0]);
    on_control(unwatch, &w);
    loop_close();
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* ---- two descriptors, ready in one turn ---- */

static watched both[2];
static int peers[2];      /* the other ends */
static int fresh[2];      /* made in the turn; fresh[0] has the old number */
static watched successor; /* the new watch of that number */
static int n_first;
static int n_stale;
static sem_t turn_over;
static muster__task turn_task;

static void on_turn_over(muster__task *task)
{
    (void)task;
    sem_post(&turn_over);
}

static void replace(watched *victim)
{
    int number = victim->fd;
    int fds[2];

    muster__poll_destroy(victim->poll);
    victim->poll = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 ||
        dup2(fds[0], number) != number) {
        abort();
    }
    (void)close(fds[0]);
    fresh[0] = number;
    fresh[1] = fds[1];
    successor.fd = number;
    successor.wanted = MUSTER_READABLE;
    watch(&successor);
}

static void on_one_of_both(void *arg, int fd, unsigned events)
{
    watched *w = (watched *)arg;

    (void)fd;
    (void)events;
    if (n_first > 0) {
        n_stale++;
        return;
    }
    n_first++;
    (void)muster__poll_start(w->poll, 0);
    replace(w == &both[0] ? &both[1] : &both[0]);
    turn_task.fn = on_turn_over;
    muster__loop_post(&turn_task);
}

static void watch_both(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (muster__poll_create(both[i].fd, on_one_of_both, &both[i],
                                &both[i].poll) != MUSTER_OK ||
            muster__poll_start(both[i].poll, MUSTER_READABLE) != MUSTER_OK) {
            abort();
        }
    }
}

static void unwatch_all(void *arg)
{
    (void)arg;
    muster__poll_destroy(both[0].poll);
    muster__poll_destroy(both[1].poll);
    muster__poll_destroy(successor.poll);
}

Test(loop_poll, a_number_may_be_reused_in_the_turn_it_was_ready_in)
{
    sem_init(&turn_over, 0, 0);
    for (int i = 0; i < 2; i++) {
        int fds[2];

        make_pair(fds);
        both[i].fd = fds[0];
        peers[i] = fds[1];
        send_byte(peers[i]);
    }
    loop_open();
    on_control(watch_both, NULL);
    wait_for(&turn_over);
    on_control(do_nothing, NULL);
    cr_expect_eq(successor.status, MUSTER_OK);
    cr_expect_eq(n_stale, 0, "the old watch saw an event");
    cr_expect_eq(successor.n_events, 0, "the new watch saw an old event");

    send_byte(fresh[1]);
    wait_for(&successor.ready);
    cr_expect_eq(successor.got, MUSTER_READABLE);
    on_control(unwatch_all, NULL);
    loop_close();
    (void)close(both[0].fd);
    (void)close(both[1].fd);
    (void)close(peers[0]);
    (void)close(peers[1]);
    (void)close(fresh[1]);
}

static void destroy_inside(void *arg, int fd, unsigned events)
{
    watched *w = (watched *)arg;

    (void)events;
    muster__poll_destroy(w->poll);
    (void)close(fd);
    sem_post(&w->ready);
}

static void watch_self_destroying(void *arg)
{
    watched *w = (watched *)arg;

    sem_init(&w->ready, 0, 0);
    if (muster__poll_create(w->fd, destroy_inside, w, &w->poll) == MUSTER_OK) {
        start(w);
    }
}

Test(loop_poll, may_be_destroyed_inside_its_fn_even_on_an_error)
{
    watched w = {.wanted = MUSTER_WRITABLE};
    int fds[2];

    cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
    (void)close(fds[0]);
    w.fd = fds[1];
    loop_open();
    on_control(watch_self_destroying, &w);
    wait_for(&w.ready);
    loop_close();
}

Test(loop_poll, destroying_null_does_nothing)
{
    muster__poll_destroy(NULL);
}
