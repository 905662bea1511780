/* SPDX-License-Identifier: Apache-2.0 */
/* Lays out what stands above the endpoints. */
#include "layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../admin/period.h"
#include "words.h"

/* ---- segments, which flow over as many lines as they need ---- */

typedef struct flow {
    top_page *page;
    size_t width; /* 0: no limit */
    size_t at;    /* columns of the line so far */
} flow;

static void flow_begin(flow *self, top_page *page, const top_paper *paper)
{
    *self = (flow){.page = page, .width = paper->width};
    top_page_line(page);
}

static void flow_add(flow *self, top_style style, const char *text)
{
    enum { GAP = 2 };
    size_t columns = top_text_width(text);

    if (self->at > 0 && self->width > 0 &&
        self->at + GAP + columns > self->width) {
        top_page_line(self->page);
        self->at = 0;
        top_page_add(self->page, TOP_NORMAL, "  ");
    } else if (self->at > 0) {
        top_page_add(self->page, TOP_NORMAL, "  ");
    }
    if (self->width > 0 && columns > self->width - GAP) {
        columns = self->width - GAP;
    }
    top_page_field(self->page, style, TOP_LEFT, columns, text);
    self->at += GAP + columns;
}

MUSTER_FORMAT_(3, 4)
static void flow_print(flow *self, top_style style, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    flow_add(self, style, text);
}

static void flow_rate(flow *self, double rate)
{
    char word[TOP_WORD_SIZE];

    top_word_rate(rate, word);
    flow_print(self, TOP_NORMAL, "%s calls/s", word);
}

/* ---- trouble ---- */

/* What goes into a line of text: up to a blank when there is one. */
static size_t part_of(const char *text, size_t room)
{
    size_t bytes = top_text_bytes(text, room);
    size_t at = bytes;

    if (text[bytes] == '\0') {
        return bytes;
    }
    while (at > 0 && text[at] != ' ') {
        at--;
    }
    return at > 0 ? at : bytes;
}

void top_layout_trouble(const char *text, size_t indent, const top_paper *paper,
                        top_page *page)
{
    const char *mark = "! ";
    size_t room = SIZE_MAX;

    if (paper->width > 0) {
        room = paper->width > indent + 12 ? paper->width - indent - 2 : 10;
    }
    do {
        size_t bytes = part_of(text, room);

        top_page_line(page);
        top_page_field(page, TOP_NORMAL, TOP_LEFT, indent, "");
        top_page_add(page, TOP_BAD, mark);
        top_page_add_bytes(page, TOP_BAD, text, bytes);
        mark = "  ";
        text += bytes + (text[bytes] == ' ');
    } while (*text != '\0');
}

/* ---- the head ---- */

static void lay_out_head(const top_snapshot *snapshot, const top_paper *paper,
                         top_page *page)
{
    flow line;

    flow_begin(&line, page, paper);
    flow_add(&line, TOP_STRONG,
             snapshot->program != NULL ? snapshot->program : "?");
    flow_print(&line, TOP_NORMAL, "pid %" PRId64, snapshot->pid);
    flow_print(&line, TOP_FAINT, "muster %s",
               snapshot->version != NULL ? snapshot->version : "?");
    flow_begin(&line, page, paper);
    flow_print(&line, TOP_NORMAL, "%zu target%s", snapshot->n_targets,
               snapshot->n_targets == 1 ? "" : "s");
    flow_print(&line,
               snapshot->n_ready < snapshot->n_listed ? TOP_DOUBTFUL
                                                      : TOP_NORMAL,
               "%zu/%zu ready", snapshot->n_ready, snapshot->n_listed);
    flow_rate(&line, snapshot->rate);
    flow_print(&line, TOP_NORMAL, "%" PRId64 " in flight", snapshot->in_flight);
    page->n_fixed = page->n_lines;
}

/* ---- targets ---- */

static void add_list_state(flow *line, const top_target *target)
{
    period age = period_of_ms((uint64_t)target->age_ms);

    if (!target->has_list) {
        flow_add(line, TOP_FAINT, "no list");
    } else if (target->is_stale) {
        flow_print(line, TOP_BAD, "STALE %s", age.text);
    } else if (target->is_held) {
        flow_print(line, TOP_DOUBTFUL, "held %s", age.text);
    } else {
        flow_print(line, TOP_GOOD, "fresh %s", age.text);
    }
}

static void lay_out_target(const top_target *target, const top_paper *paper,
                           top_page *page)
{
    flow line;

    top_page_line(page);
    flow_begin(&line, page, paper);
    flow_add(&line, TOP_STRONG, target->name);
    flow_add(&line, top_style_of_state(target->state),
             top_word_state(target->state));
    add_list_state(&line, target);
    flow_add(&line, TOP_NORMAL,
             target->policy != NULL ? target->policy : "no policy");
    flow_print(&line,
               target->n_ready < target->n_listed ? TOP_DOUBTFUL : TOP_NORMAL,
               "%zu/%zu ready", target->n_ready, target->n_listed);
    flow_rate(&line, target->rate);
    flow_print(&line, TOP_NORMAL, "%" PRId64 " in flight", target->in_flight);
    if (target->failure != NULL) {
        top_layout_trouble(target->failure, 2, paper, page);
    }
}

static size_t widest_address(const top_snapshot *snapshot)
{
    size_t widest = strlen("ADDRESS");

    for (size_t i = 0; i < snapshot->n_targets; i++) {
        const top_target *target = &snapshot->targets[i];

        for (size_t k = 0; k < target->n_endpoints; k++) {
            size_t width = top_text_width(target->endpoints[k].address);

            widest = width > widest ? width : widest;
        }
    }
    return widest;
}

void top_layout(const top_snapshot *snapshot, const top_paper *paper,
                top_page *page)
{
    size_t address_width = widest_address(snapshot);

    lay_out_head(snapshot, paper, page);
    for (size_t i = 0; i < snapshot->n_targets; i++) {
        lay_out_target(&snapshot->targets[i], paper, page);
        if (snapshot->targets[i].n_endpoints > 0) {
            top_layout_endpoints(&snapshot->targets[i], paper, address_width,
                                 page);
        }
    }
}
