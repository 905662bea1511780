/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints of a target: which columns a width has room for. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../admin/period.h"
#include "layout.h"
#include "words.h"

enum {
    INDENT = 2,
    STATE_WIDTH = 10,
    RATE_WIDTH = 7,
    SHARE_WIDTH = 5,
    IN_FLIGHT_WIDTH = 8,
    WEIGHT_WIDTH = 6,
    BACKOFF_WIDTH = 7,
    MAX_BAR_WIDTH = 20,
    USUAL_BAR_WIDTH = 10,
    MIN_BAR_WIDTH = 4,
    MIN_REASON_WIDTH = 30,
    MIN_ADDRESS_WIDTH = 8
};

typedef struct plan {
    size_t gap;
    size_t address;
    size_t bar; /* 0: none */
    bool has_share;
    bool has_in_flight;
    bool has_weight;
    bool has_backoff;
    bool has_reason; /* as the last column; else on a line of its own */
    size_t reason;   /* 0: no limit */
} plan;

/* All but the reason. */
static size_t width_of(const plan *self)
{
    size_t width =
        INDENT + self->address + STATE_WIDTH + RATE_WIDTH + 2 * self->gap;

    width += self->has_share ? SHARE_WIDTH + self->gap : 0;
    width += self->bar > 0 ? self->bar + self->gap : 0;
    width += self->has_in_flight ? IN_FLIGHT_WIDTH + self->gap : 0;
    width += self->has_weight ? WEIGHT_WIDTH + self->gap : 0;
    width += self->has_backoff ? BACKOFF_WIDTH + self->gap : 0;
    return width;
}

/* The bar gets what is left. */
static void fit_bar(plan *self, size_t width, size_t most)
{
    size_t without;

    self->bar = 0;
    without = width_of(self) + self->gap;
    if (width >= without + MIN_BAR_WIDTH) {
        self->bar = width - without < most ? width - without : most;
    }
}

/* What matters least goes first. */
static void leave_out(plan *self, size_t width)
{
    bool *const optional[] = {&self->has_backoff, &self->has_weight,
                              &self->has_share, &self->has_in_flight};

    for (size_t i = 0;
         i < sizeof optional / sizeof optional[0] && width_of(self) > width;
         i++) {
        *optional[i] = false;
    }
    while (width_of(self) > width && self->address > MIN_ADDRESS_WIDTH) {
        self->address--;
    }
}

static plan fit(size_t width, size_t address_width)
{
    plan self = {.gap = 2,
                 .address = address_width,
                 .bar = USUAL_BAR_WIDTH,
                 .has_share = true,
                 .has_in_flight = true,
                 .has_weight = true,
                 .has_backoff = true,
                 .has_reason = true};

    if (width == 0) {
        return self;
    }
    if (width_of(&self) + self.gap + MIN_REASON_WIDTH <= width) {
        self.reason = width - width_of(&self) - self.gap;
        return self;
    }
    self.has_reason = false;
    self.gap = 1;
    self.bar = 0;
    leave_out(&self, width);
    fit_bar(&self, width, MAX_BAR_WIDTH);
    return self;
}

/* ---- lines ---- */

static void add_gap(const plan *columns, top_page *page)
{
    top_page_field(page, TOP_NORMAL, TOP_LEFT, columns->gap, "");
}

static void add_number(const plan *columns, size_t width, const char *text,
                       top_page *page)
{
    add_gap(columns, page);
    top_page_field(page, TOP_NORMAL, TOP_RIGHT, width, text);
}

static void add_heading(const plan *columns, top_side side, size_t width,
                        const char *text, top_page *page)
{
    add_gap(columns, page);
    top_page_field(page, TOP_HEADING, side, width, text);
}

static void lay_out_headings(const plan *columns, top_page *page)
{
    top_page_line(page);
    top_page_field(page, TOP_NORMAL, TOP_LEFT, INDENT, "");
    top_page_field(page, TOP_HEADING, TOP_LEFT, columns->address, "ADDRESS");
    add_heading(columns, TOP_LEFT, STATE_WIDTH, "STATE", page);
    add_heading(columns, TOP_RIGHT, RATE_WIDTH, "CALLS/S", page);
    if (columns->has_share) {
        add_heading(columns, TOP_RIGHT, SHARE_WIDTH, "SHARE", page);
    }
    if (columns->bar > 0) {
        add_heading(columns, TOP_LEFT, columns->bar, "", page);
    }
    if (columns->has_in_flight) {
        add_heading(columns, TOP_RIGHT, IN_FLIGHT_WIDTH, "INFLIGHT", page);
    }
    if (columns->has_weight) {
        add_heading(columns, TOP_RIGHT, WEIGHT_WIDTH, "WEIGHT", page);
    }
    if (columns->has_backoff) {
        add_heading(columns, TOP_RIGHT, BACKOFF_WIDTH, "BACKOFF", page);
    }
    if (columns->has_reason) {
        add_heading(columns, TOP_LEFT, strlen("REASON"), "REASON", page);
    }
    top_page_trim(page);
}

static period backoff_of(const top_endpoint *endpoint)
{
    return endpoint->backoff_left_ms > 0
               ? period_of_ms((uint64_t)endpoint->backoff_left_ms)
               : (period){"-"};
}

static void add_bar(const plan *columns, const top_paper *paper,
                    double largest_share, const top_endpoint *endpoint,
                    top_page *page)
{
    char bar[TOP_BAR_SIZE];
    double part = largest_share > 0 ? endpoint->share / largest_share : 0;

    top_word_bar(part, columns->bar, paper->is_utf8, bar);
    add_gap(columns, page);
    top_page_field(page, TOP_BAR, TOP_LEFT, columns->bar, bar);
}

static void add_reason(const plan *columns, const top_endpoint *endpoint,
                       top_page *page)
{
    const char *reason = endpoint->reason != NULL ? endpoint->reason : "-";
    size_t width = top_text_width(reason);

    if (columns->reason > 0 && columns->reason < width) {
        width = columns->reason;
    }
    add_gap(columns, page);
    top_page_field(page, endpoint->reason != NULL ? TOP_BAD : TOP_NORMAL,
                   TOP_LEFT, width, reason);
}

static void add_numbers(const plan *columns, const top_endpoint *endpoint,
                        top_page *page)
{
    char word[TOP_WORD_SIZE];

    if (columns->has_in_flight) {
        (void)snprintf(word, sizeof word, "%" PRId64, endpoint->in_flight);
        add_number(columns, IN_FLIGHT_WIDTH, word, page);
    }
    if (columns->has_weight) {
        (void)snprintf(word, sizeof word, "%" PRId64, endpoint->weight);
        add_number(columns, WEIGHT_WIDTH, word, page);
    }
    if (columns->has_backoff) {
        add_number(columns, BACKOFF_WIDTH, backoff_of(endpoint).text, page);
    }
}

/* Below the endpoint, where there is no column for it. */
static void add_trouble(const plan *columns, const top_paper *paper,
                        const top_endpoint *endpoint, top_page *page)
{
    char text[512];
    bool is_told = columns->has_backoff || endpoint->backoff_left_ms <= 0;

    (void)snprintf(text, sizeof text, "%s%s%s%s", is_told ? "" : "again in ",
                   is_told ? "" : backoff_of(endpoint).text,
                   is_told ? "" : ": ", endpoint->reason);
    top_layout_trouble(text, 2 * INDENT, paper, page);
}

static void lay_out_endpoint(const plan *columns, const top_paper *paper,
                             double largest_share, const top_endpoint *endpoint,
                             top_page *page)
{
    char word[TOP_WORD_SIZE];

    top_page_line(page);
    top_page_field(page, TOP_NORMAL, TOP_LEFT, INDENT, "");
    top_page_field(page, TOP_NORMAL, TOP_LEFT, columns->address,
                   endpoint->address);
    add_gap(columns, page);
    top_page_field(page, top_style_of_state(endpoint->state), TOP_LEFT,
                   STATE_WIDTH, top_word_state(endpoint->state));
    top_word_rate(endpoint->rate, word);
    add_number(columns, RATE_WIDTH, word, page);
    if (columns->has_share) {
        top_word_share(endpoint->share, word);
        add_number(columns, SHARE_WIDTH, word, page);
    }
    if (columns->bar > 0) {
        add_bar(columns, paper, largest_share, endpoint, page);
    }
    add_numbers(columns, endpoint, page);
    if (columns->has_reason) {
        add_reason(columns, endpoint, page);
    }
    top_page_trim(page);
    if (!columns->has_reason && endpoint->reason != NULL) {
        add_trouble(columns, paper, endpoint, page);
    }
}

static double largest_share_of(const top_target *target)
{
    double largest = 0;

    for (size_t i = 0; i < target->n_endpoints; i++) {
        if (target->endpoints[i].share > largest) {
            largest = target->endpoints[i].share;
        }
    }
    return largest;
}

void top_layout_endpoints(const top_target *target, const top_paper *paper,
                          size_t address_width, top_page *page)
{
    plan columns = fit(paper->width, address_width);
    double largest_share = largest_share_of(target);

    if (paper->has_headings) {
        lay_out_headings(&columns, page);
    }
    for (size_t i = 0; i < target->n_endpoints; i++) {
        lay_out_endpoint(&columns, paper, largest_share, &target->endpoints[i],
                         page);
    }
}
