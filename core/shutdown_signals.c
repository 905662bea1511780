/* SPDX-License-Identifier: Apache-2.0 */
/* Shutting all channels down on a signal. Not by libuv's signals: a fork child
 * shares the pipe of their handler, so that a signal to it would arrive here.
 */
#include "shutdown.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <muster/call.h>
#include <muster/resolver.h>

#include "fork.h"
#include "thread.h"

enum { N_SIGNALS = 2 };

/* What the handler reads; nothing of it changes while there is one. The pipe
 * stays for good: some thread may be about to write to it. */
static const int signal_numbers[N_SIGNALS] = {SIGTERM, SIGINT};
static struct sigaction previous[N_SIGNALS];
static int pipe_fds[2] = {-1, -1};
static pid_t owner;

typedef enum switch_state {
    SWITCH_OFF,
    SWITCH_TURNING,
    SWITCH_ON
} switch_state;

/* Not held while waiting for the control thread, which may want it, too. */
static pthread_mutex_t switch_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t switch_changed = PTHREAD_COND_INITIALIZER;
static bool is_listening;    /* guarded by switch_lock */
static switch_state switch_; /* guarded by switch_lock */

/* Control thread only, and whoever is turning the switch. */
static struct {
    muster__poll *poll;
    muster__shutdown_run run;
    muster__nudge done;
    bool is_made; /* the nudge: once, as it may be on its way when turned off */
    bool is_running;
    int number; /* the signal that began the run */
    uint64_t grace_ms;
    muster_shutdown_fn fn;
    void *arg;
    muster_status status; /* of the beginning */
} self;

/* ---- the handler ---- */

static void put_back(int number)
{
    for (int i = 0; i < N_SIGNALS; i++) {
        if (signal_numbers[i] == number) {
            (void)sigaction(number, &previous[i], NULL);
        }
    }
}

/* In a fork child: as if it had never been on. raise() takes effect when the
 * handler returns. */
static void on_signal(int number)
{
    const int saved_errno = errno;
    const unsigned char byte = (unsigned char)number;

    if (getpid() != owner) {
        put_back(number);
        (void)raise(number);
    } else {
        ssize_t n = write(pipe_fds[1], &byte, 1);
        (void)n; /* a full pipe has told enough */
    }
    errno = saved_errno;
}

static bool is_ours(int number)
{
    struct sigaction now;

    return sigaction(number, NULL, &now) == 0 &&
           (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == on_signal;
}

static void install_handlers(void)
{
    /* On the other stack where a thread has one: its own may be too small. */
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESTART | SA_ONSTACK};

    owner = getpid();
    (void)sigemptyset(&action.sa_mask);
    for (int i = 0; i < N_SIGNALS; i++) {
        (void)sigaction(signal_numbers[i], NULL, &previous[i]);
        if ((previous[i].sa_flags & SA_SIGINFO) != 0 ||
            previous[i].sa_handler != SIG_IGN) {
            (void)sigaction(signal_numbers[i], &action, NULL);
        }
    }
}

static void remove_handlers(void)
{
    for (int i = 0; i < N_SIGNALS; i++) {
        if (is_ours(signal_numbers[i])) {
            put_back(signal_numbers[i]);
        }
    }
}

/* ---- Thread: control ---- */

/* The second one ends the patience. */
static void take_signal(int number)
{
    if (self.is_running) {
        muster__shutdown_begin_all(NULL, 0);
        return;
    }
    self.is_running = true;
    self.number = number;
    muster__shutdown_begin_all(&self.run, muster__deadline_ns(self.grace_ms));
}

static void on_readable(void *arg, int fd, unsigned events)
{
    unsigned char bytes[16];
    ssize_t n;

    (void)arg;
    (void)events;
    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            take_signal(bytes[i]);
        }
    }
}

static void end_run(void)
{
    if (self.is_running) {
        muster__shutdown_leave(&self.run);
        self.is_running = false;
    }
}

static void on_done(void *arg)
{
    muster_shutdown_numbers numbers = self.run.numbers;

    (void)arg;
    if (!self.is_running) {
        return; /* turned off meanwhile */
    }
    end_run();
    numbers.struct_size = (uint32_t)sizeof numbers;
    self.fn(self.arg, self.number, &numbers);
}

/* What came after it was last turned off concerns nobody. */
static void forget_bytes(void)
{
    unsigned char bytes[16];

    while (read(pipe_fds[0], bytes, sizeof bytes) > 0) {
    }
}

static void begin_listening(void *arg)
{
    (void)arg;
    if (!self.is_made) {
        self.is_made = true;
        muster__nudge_init(&self.done, on_done, NULL);
    }
    self.run.done = &self.done;
    forget_bytes();
    self.status =
        muster__poll_create(pipe_fds[0], on_readable, NULL, &self.poll);
    if (self.status == MUSTER_OK) {
        self.status = muster__poll_start(self.poll, MUSTER_READABLE);
    }
    if (self.status != MUSTER_OK) {
        muster__poll_destroy(self.poll);
        self.poll = NULL;
    }
}

static void end_listening(muster__task *task)
{
    (void)task;
    muster__poll_destroy(self.poll);
    self.poll = NULL;
    end_run();
    pthread_mutex_lock(&switch_lock);
    is_listening = false;
    pthread_cond_signal(&switch_changed);
    pthread_mutex_unlock(&switch_lock);
}

/* ---- Thread: any ---- */

static bool turn(switch_state from, switch_state to)
{
    bool may_turn;

    pthread_mutex_lock(&switch_lock);
    may_turn = switch_ == from;
    if (may_turn) {
        switch_ = to;
    }
    pthread_mutex_unlock(&switch_lock);
    return may_turn;
}

static muster_status open_pipe(muster_error *err)
{
    if (pipe_fds[0] < 0 && pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return muster_error_set(err, MUSTER_UNAVAILABLE,
                                "no pipe for signals: errno %d", errno);
    }
    return MUSTER_OK;
}

static muster_status turn_on(muster_error *err)
{
    muster_status status = muster__loop_acquire(err);

    if (status != MUSTER_OK) {
        return status;
    }
    status = open_pipe(err);
    if (status == MUSTER_OK) {
        status = muster__loop_call(begin_listening, NULL, MUSTER_FOREVER);
        if (status == MUSTER_OK) {
            status = self.status;
        }
        if (status != MUSTER_OK) {
            (void)muster_error_set(err, status, "cannot listen for signals: %s",
                                   muster_status_text(status));
        }
    }
    if (status != MUSTER_OK) {
        muster__loop_release();
        return status;
    }
    is_listening = true; /* nobody else looks before the switch is on */
    install_handlers();
    return MUSTER_OK;
}

muster_status muster_shutdown_on_signals(uint64_t grace_ms,
                                         muster_shutdown_fn fn, void *arg,
                                         muster_error *err)
{
    muster_status status;

    if (muster__is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    if (fn == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "nobody is told of the shutdown: fn is NULL");
    }
    if (!turn(SWITCH_OFF, SWITCH_TURNING)) {
        return muster_error_set(err, MUSTER_BUSY,
                                "shutdown on signals is on already");
    }
    self.grace_ms = grace_ms;
    self.fn = fn;
    self.arg = arg;
    status = turn_on(err);
    (void)turn(SWITCH_TURNING, status == MUSTER_OK ? SWITCH_ON : SWITCH_OFF);
    return status;
}

/* Needs no memory, so it cannot fail. */
static void stop_listening(void)
{
    static muster__task task = {NULL, end_listening};

    if (muster__loop_is_current()) {
        end_listening(&task);
        return;
    }
    muster__loop_post(&task);
    pthread_mutex_lock(&switch_lock);
    while (is_listening) {
        (void)pthread_cond_wait(&switch_changed, &switch_lock);
    }
    pthread_mutex_unlock(&switch_lock);
}

void muster_shutdown_off_signals(void)
{
    if (muster__is_forked() || !turn(SWITCH_ON, SWITCH_TURNING)) {
        return;
    }
    remove_handlers();
    stop_listening();
    muster__loop_release();
    (void)turn(SWITCH_TURNING, SWITCH_OFF);
}
