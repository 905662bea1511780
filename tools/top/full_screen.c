/* SPDX-License-Identifier: Apache-2.0 */
/* The whole terminal: one answer an interval, and keys in between. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "../admin/socket_options.h"
#include "layout.h"
#include "terminal.h"
#include "ways.h"

/* While an answer is waited for no key is heeded: not long, then. */
enum { ANSWER_MAX_MS = 1000 };

typedef struct viewer {
    top_show *show;
    top_page page;
    size_t first; /* of the lines that scroll: which is at the top */
    bool has_failed;
    muster_error err; /* of the latest question, when it failed */
    exit_code code;
} viewer;

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- what is seen ---- */

static size_t rows_to_scroll(const viewer *self)
{
    int rows;
    int columns;

    top_terminal_get_size(&rows, &columns);
    return rows > (int)self->page.n_fixed + 1
               ? (size_t)rows - self->page.n_fixed - 1
               : 0;
}

static size_t last_first(const viewer *self)
{
    size_t n = self->page.n_lines - self->page.n_fixed;
    size_t rows = rows_to_scroll(self);

    return n > rows ? n - rows : 0;
}

static void draw(viewer *self)
{
    const top_tracker *tracker = &self->show->tracker;
    char foot[sizeof self->err.message + 8];
    size_t most = last_first(self);

    self->first = self->first < most ? self->first : most;
    if (self->has_failed) {
        (void)snprintf(foot, sizeof foot, "! %s", self->err.message);
    } else {
        size_t n = self->page.n_lines - self->page.n_fixed;
        size_t rows = rows_to_scroll(self);
        size_t last = self->first + rows < n ? self->first + rows : n;

        (void)snprintf(foot, sizeof foot,
                       "q quit  c/i/s/a sort: %s  %zu-%zu/%zu",
                       top_order_name(tracker->order),
                       n == 0 ? 0 : self->first + 1, last, n);
    }
    top_terminal_draw(&self->page, self->first, foot,
                      self->has_failed ? TOP_BAD : TOP_NORMAL);
}

static void lay_out(viewer *self)
{
    int rows;
    int columns;
    top_paper paper = {.is_utf8 = top_terminal_is_utf8(),
                       .has_headings = self->show->output.is_header_due};

    top_terminal_get_size(&rows, &columns);
    paper.width = columns > 4 ? (size_t)columns : 4;
    top_page_fini(&self->page);
    top_layout(self->show->tracker.snapshot, &paper, &self->page);
    draw(self);
}

/* ---- what happens ---- */

static void ask(viewer *self)
{
    muster_status status = top_tracker_ask(&self->show->tracker, &self->err);

    self->has_failed = status != MUSTER_OK;
    lay_out(self);
}

static void sort(viewer *self, top_order order)
{
    top_tracker_sort(&self->show->tracker, order);
    lay_out(self);
}

static void scroll_by(viewer *self, size_t n, bool is_up)
{
    if (is_up) {
        self->first -= n < self->first ? n : self->first;
    } else {
        self->first += n;
    }
    draw(self);
}

static size_t page_size(const viewer *self)
{
    size_t rows = rows_to_scroll(self);

    return rows > 1 ? rows - 1 : 1;
}

/* False: it is to end. */
static bool heed(viewer *self, top_key key)
{
    switch (key) {
    case TOP_KEY_QUIT:
    case TOP_KEY_END:
        return false;
    case TOP_KEY_RESIZE:
        lay_out(self);
        break;
    case TOP_KEY_UP:
    case TOP_KEY_DOWN:
        scroll_by(self, 1, key == TOP_KEY_UP);
        break;
    case TOP_KEY_PAGE_UP:
    case TOP_KEY_PAGE_DOWN:
        scroll_by(self, page_size(self), key == TOP_KEY_PAGE_UP);
        break;
    case TOP_KEY_FIRST:
    case TOP_KEY_LAST:
        scroll_by(self, self->page.n_lines, key == TOP_KEY_FIRST);
        break;
    case TOP_KEY_BY_CALLS:
        sort(self, TOP_BY_CALLS);
        break;
    case TOP_KEY_BY_IN_FLIGHT:
        sort(self, TOP_BY_IN_FLIGHT);
        break;
    case TOP_KEY_BY_STATE:
        sort(self, TOP_BY_STATE);
        break;
    case TOP_KEY_BY_ADDRESS:
        sort(self, TOP_BY_ADDRESS);
        break;
    case TOP_KEY_NONE:
    case TOP_KEY_OTHER:
    default:
        break;
    }
    return true;
}

/* Until the next answer is due. False: it is to end. */
static bool heed_keys(viewer *self, uint64_t due_ms)
{
    uint64_t now = now_ms();

    do {
        top_key key = top_terminal_key(now < due_ms ? due_ms - now : 0);

        if (!heed(self, key)) {
            return false;
        }
        now = now_ms();
    } while (now < due_ms);
    return true;
}

static void run(viewer *self)
{
    uint64_t due_ms = now_ms();

    lay_out(self); /* the first answer is there */
    for (uint64_t i = 1; i < self->show->count; i++) {
        due_ms += self->show->interval_ms;
        if (due_ms < now_ms()) {
            due_ms = now_ms(); /* it was stopped, or the answer was late */
        }
        if (!heed_keys(self, due_ms)) {
            return;
        }
        ask(self);
    }
}

/* Ends as the signal would have ended it. */
static void pass_on(int number)
{
    if (number != 0) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
    }
}

exit_code top_show_screen(top_show *self)
{
    viewer view = {.show = self};
    muster_status status;

    if (self->tracker.timeout_ms > ANSWER_MAX_MS) {
        self->tracker.timeout_ms = ANSWER_MAX_MS;
    }
    status = top_tracker_ask(&self->tracker, &view.err);
    if (status != MUSTER_OK) {
        return socket_options_fail(self->tracker.path, status, &view.err);
    }
    if (!top_terminal_open()) {
        return command_fail(EXIT_CODE_FAILURE, "terminal",
                            "it cannot be drawn on: try --plain");
    }
    run(&view);
    top_terminal_close();
    top_page_fini(&view.page);
    pass_on(top_terminal_signal());
    return EXIT_CODE_OK;
}
