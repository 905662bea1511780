/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal for a program under test. */
#include "pseudo_terminal.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, MAX_TEXT = 2048, FIRST_FD = 3, TAKEN_SIZE = 64 };

/* ---- the program's side ---- */

/* Says on reports how it found the terminal, which process the program is, then
 * each change of it. */
static void be_the_shell(char *const argv[], int reports)
{
    struct termios found;
    pid_t program;
    int status = 0;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(reports, FIRST_FD);
    reports = FIRST_FD;
    (void)close_range(FIRST_FD + 1, ~0u, 0); /* what others wait to be closed */
    (void)signal(SIGTTOU, SIG_IGN);
    (void)write(STDOUT_FILENO, "before\r\n", 8);
    (void)tcgetattr(STDIN_FILENO, &found);
    (void)write(reports, &found, sizeof found);
    program = fork();
    if (program == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)setpgid(0, 0);
        (void)tcsetpgrp(STDIN_FILENO, getpid());
        (void)signal(SIGTTOU, SIG_DFL);
        (void)close(reports);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)write(reports, &program, sizeof program);
    do {
        if (waitpid(program, &status, WUNTRACED) != program) {
            _exit(126);
        }
        (void)write(reports, &status, sizeof status);
    } while (WIFSTOPPED(status));
    (void)pause(); /* the terminal stays to be looked at */
}

/* ---- the emulator ---- */

static int note_property(VTermProp property, VTermValue *value, void *user)
{
    pseudo_terminal *self = user;

    if (property == VTERM_PROP_ALTSCREEN) {
        self->is_alternate = value->boolean != 0;
    } else if (property == VTERM_PROP_CURSORVISIBLE) {
        self->is_cursor_hidden = value->boolean == 0;
    }
    return 1;
}

static const VTermScreenCallbacks callbacks = {.settermprop = note_property};

static void start_emulator(pseudo_terminal *self)
{
    self->emulator = vterm_new(self->rows, self->columns);
    vterm_set_utf8(self->emulator, 1);
    self->screen = vterm_obtain_screen(self->emulator);
    vterm_screen_enable_altscreen(self->screen, 1);
    vterm_screen_set_callbacks(self->screen, &callbacks, self);
    vterm_screen_reset(self->screen, 1);
}

bool pseudo_terminal_start(pseudo_terminal *self, char *const argv[], int rows,
                           int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows,
                           .ws_col = (unsigned short)columns};
    int reports[2];

    memset(self, 0, sizeof *self);
    self->rows = rows;
    self->columns = columns;
    if (pipe(reports) != 0) {
        perror("pipe");
        return false;
    }
    self->shell = forkpty(&self->fd, NULL, NULL, &size);
    if (self->shell == 0) {
        (void)close(reports[0]);
        be_the_shell(argv, reports[1]);
    }
    (void)close(reports[1]);
    self->reports = reports[0];
    if (self->shell < 0 ||
        read(self->reports, &self->before, sizeof self->before) !=
            sizeof self->before ||
        read(self->reports, &self->program, sizeof self->program) !=
            sizeof self->program) {
        perror("pseudo_terminal_start");
        return false;
    }
    start_emulator(self);
    return true;
}

static long long now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void count_colours(pseudo_terminal *self)
{
    VTermPos at;

    for (at.row = 0; at.row < self->rows; at.row++) {
        for (at.col = 0; at.col < self->columns; at.col++) {
            VTermScreenCell cell;

            (void)vterm_screen_get_cell(self->screen, at, &cell);
            self->n_colours += !VTERM_COLOR_IS_DEFAULT_FG(&cell.fg) ||
                               !VTERM_COLOR_IS_DEFAULT_BG(&cell.bg);
        }
    }
}

/* Takes some of what the program wrote: little, so that no screen is passed
 * over when several of them wait to be taken. False: nothing came. */
static bool take(pseudo_terminal *self, int wait_ms)
{
    struct pollfd ready = {.fd = self->fd, .events = POLLIN};
    char bytes[TAKEN_SIZE];
    ssize_t n;

    if (poll(&ready, 1, wait_ms) <= 0) {
        return false;
    }
    n = read(self->fd, bytes, sizeof bytes);
    if (n <= 0) {
        return false;
    }
    (void)vterm_input_write(self->emulator, bytes, (size_t)n);
    vterm_screen_flush_damage(self->screen);
    count_colours(self);
    return true;
}

static void row_text(const pseudo_terminal *self, int row, char text[MAX_TEXT])
{
    VTermRect rect = {.start_row = row,
                      .end_row = row + 1,
                      .start_col = 0,
                      .end_col = self->columns};
    size_t n = vterm_screen_get_text(self->screen, text, MAX_TEXT - 1, rect);

    text[n] = '\0';
}

bool pseudo_terminal_has(const pseudo_terminal *self, const char *text)
{
    for (int row = 0; row < self->rows; row++) {
        char line[MAX_TEXT];

        row_text(self, row, line);
        if (strstr(line, text) != NULL) {
            return true;
        }
    }
    return false;
}

static bool await(pseudo_terminal *self, const char *text, bool is_there)
{
    long long deadline = now_ms() + PATIENCE_MS;

    while (pseudo_terminal_has(self, text) != is_there) {
        if (now_ms() > deadline) {
            pseudo_terminal_print(self, stderr);
            return false;
        }
        (void)take(self, 100);
    }
    return true;
}

bool pseudo_terminal_await(pseudo_terminal *self, const char *text)
{
    return await(self, text, true);
}

bool pseudo_terminal_await_none(pseudo_terminal *self, const char *text)
{
    return await(self, text, false);
}

void pseudo_terminal_run(pseudo_terminal *self, int ms)
{
    long long deadline = now_ms() + ms;

    for (long long now = now_ms(); now < deadline; now = now_ms()) {
        (void)take(self, (int)(deadline - now));
    }
}

void pseudo_terminal_type(pseudo_terminal *self, const char *keys)
{
    (void)write(self->fd, keys, strlen(keys));
}

void pseudo_terminal_resize(pseudo_terminal *self, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows,
                           .ws_col = (unsigned short)columns};

    self->rows = rows;
    self->columns = columns;
    vterm_set_size(self->emulator, rows, columns);
    (void)ioctl(self->fd, TIOCSWINSZ, &size);
}

int pseudo_terminal_wait(pseudo_terminal *self)
{
    long long deadline = now_ms() + PATIENCE_MS;
    struct pollfd report = {.fd = self->reports, .events = POLLIN};
    int status = -1;

    while (poll(&report, 1, 0) == 0) {
        if (now_ms() > deadline) {
            return -1;
        }
        (void)take(self, 20);
    }
    if (read(self->reports, &status, sizeof status) != sizeof status) {
        return -1;
    }
    while (take(self, 0)) {
        /* what it wrote to the last */
    }
    return status;
}

static bool is_restored(const pseudo_terminal *self)
{
    struct termios now;

    return tcgetattr(self->fd, &now) == 0 &&
           now.c_lflag == self->before.c_lflag &&
           now.c_iflag == self->before.c_iflag &&
           now.c_oflag == self->before.c_oflag && !self->is_alternate &&
           !self->is_cursor_hidden && pseudo_terminal_has(self, "before");
}

/* The kernel may take its time to hand over what was written to the last. */
bool pseudo_terminal_is_restored(pseudo_terminal *self)
{
    long long deadline = now_ms() + PATIENCE_MS;

    while (!is_restored(self) && now_ms() <= deadline) {
        (void)take(self, 100);
    }
    return is_restored(self);
}

void pseudo_terminal_print(const pseudo_terminal *self, FILE *out)
{
    for (int row = 0; row < self->rows; row++) {
        char text[MAX_TEXT];

        row_text(self, row, text);
        (void)fprintf(out, "%s\n", text);
    }
}

void pseudo_terminal_end(pseudo_terminal *self)
{
    (void)kill(self->shell, SIGKILL); /* the program goes with it */
    (void)waitpid(self->shell, NULL, 0);
    (void)close(self->fd);
    (void)close(self->reports);
    vterm_free(self->emulator);
}
