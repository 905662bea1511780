/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal for a program under test: what the program writes is shown by a
 * terminal emulator (libvterm), whose screen can be read. As a shell would, a
 * process between it and the program makes the program a job of its own, so
 * that it can be stopped. */
#ifndef MUSTER_TESTS_PSEUDO_TERMINAL_H
#define MUSTER_TESTS_PSEUDO_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <termios.h>
#include <vterm.h>

typedef struct pseudo_terminal {
    int fd;      /* the terminal's other side */
    int reports; /* wait statuses of the program */
    pid_t shell;
    pid_t program;
    VTerm *emulator;
    VTermScreen *screen;
    int rows;
    int columns;
    bool is_alternate; /* the program has the screen for itself */
    bool is_cursor_hidden;
    size_t n_colours;      /* cells drawn in a colour, ever */
    struct termios before; /* as the program found it */
} pseudo_terminal;

/* Starts argv[0] with the environment of the caller, behind a line "before".
 * False, and perror(), when that fails. */
bool pseudo_terminal_start(pseudo_terminal *self, char *const argv[], int rows,
                           int columns);

/* Takes what the program writes until a line of the screen contains text, or
 * none does. False when that takes half a minute. */
bool pseudo_terminal_await(pseudo_terminal *self, const char *text);
bool pseudo_terminal_await_none(pseudo_terminal *self, const char *text);

bool pseudo_terminal_has(const pseudo_terminal *self, const char *text);

/* Takes what comes within that time. */
void pseudo_terminal_run(pseudo_terminal *self, int ms);

void pseudo_terminal_type(pseudo_terminal *self, const char *keys);
void pseudo_terminal_resize(pseudo_terminal *self, int rows, int columns);

/* Waits until the program ends, or stops, and says how: a wait status; -1 after
 * half a minute. */
int pseudo_terminal_wait(pseudo_terminal *self);

/* Whether the terminal is as the program found it, which is stopped or has
 * ended. False takes half a minute. */
bool pseudo_terminal_is_restored(pseudo_terminal *self);

/* The screen, row by row. */
void pseudo_terminal_print(const pseudo_terminal *self, FILE *out);

/* Ends the program when it still runs. */
void pseudo_terminal_end(pseudo_terminal *self);

#endif
