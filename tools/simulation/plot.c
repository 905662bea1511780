/* SPDX-License-Identifier: Apache-2.0 */
/* Draws what a simulation measured as SVG. */
#include "plot.h"

#include <math.h>

#define WIDTH 900
#define LEFT 70
#define RIGHT 40
#define PANEL 220 /* height of a panel's frame */
#define GAP 75    /* above each, for its title and the numbers of the last */
#define LEGEND 18 /* a line */
#define HEAD 50

/* Okabe and Ito's colours, which the colour-blind can tell apart, and grey. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73",
                                      "#cc79a7", "#e69f00", "#56b4e9",
                                      "#000000", "#999999"};
enum { N_COLOURS = sizeof colours / sizeof *colours };

/* A frame with its scales. The vertical one is logarithmic when least > 0. */
typedef struct panel {
    FILE *out;
    double top;
    double x_most;
    double least;
    double most;
} panel;

static double x_of(const panel *self, double x)
{
    return LEFT + x / self->x_most * (WIDTH - LEFT - RIGHT);
}

static double y_of(const panel *self, double y)
{
    double share = self->least > 0 ? log(fmax(y, self->least) / self->least) /
                                         log(self->most / self->least)
                                   : y / self->most;

    return self->top + PANEL * (1 - share);
}

static void write_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '&':
            (void)fputs("&amp;", out);
            break;
        default:
            (void)fputc(*text, out);
        }
    }
}

/* ---- frames ---- */

static void draw_frame(const panel *self, const char *title)
{
    (void)fprintf(self->out,
                  "<text x=\"%d\" y=\"%.0f\" class=\"title\">%s</text>\n"
                  "<rect x=\"%d\" y=\"%.0f\" width=\"%d\" height=\"%d\" "
                  "class=\"frame\"/>\n",
                  LEFT, self->top - 10, title, LEFT, self->top,
                  WIDTH - LEFT - RIGHT, PANEL);
}

static void draw_y(const panel *self, double y)
{
    double at = y_of(self, y);

    (void)fprintf(self->out,
                  "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" "
                  "class=\"grid\"/>\n"
                  "<text x=\"%d\" y=\"%.1f\" class=\"left\">%g</text>\n",
                  LEFT, WIDTH - RIGHT, at, at, LEFT - 6, at + 4, y);
}

static void draw_x(const panel *self, double x, const char *label)
{
    double at = x_of(self, x);

    (void)fprintf(self->out,
                  "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\" "
                  "class=\"grid\"/>\n"
                  "<text x=\"%.1f\" y=\"%.0f\" class=\"below\">%s</text>\n",
                  at, at, self->top, self->top + PANEL, at,
                  self->top + PANEL + 16, label);
}

/* 1, 2, 5, 10 ... */
static double round_step(double about)
{
    double power = pow(10, floor(log10(about)));
    double first = about / power;

    return power * (first <= 1 ? 1 : first <= 2 ? 2 : first <= 5 ? 5 : 10);
}

static void draw_seconds(const panel *self)
{
    double step = round_step(self->x_most / 12);

    for (double x = 0; x <= self->x_most * 1.0001; x += step) {
        char label[32];

        (void)snprintf(label, sizeof label, "%g s", x);
        draw_x(self, x, label);
    }
}

static void draw_decades(const panel *self)
{
    for (double decade = self->least; decade <= self->most; decade *= 10) {
        draw_y(self, decade);
    }
}

/* ---- lines ---- */

static void begin_line(const panel *self, size_t i)
{
    (void)fprintf(self->out, "<polyline class=\"line\" stroke=\"%s\" points=\"",
                  colours[i % N_COLOURS]);
}

static void add_point(const panel *self, double x, double y)
{
    (void)fprintf(self->out, "%.1f,%.1f ", x_of(self, x), y_of(self, y));
}

static void end_line(const panel *self)
{
    (void)fputs("\"/>\n", self->out);
}

/* A window without a call has no latency: the line leaps over it. */
static void draw_over_time(const panel *self, const plot_series *series,
                           size_t n, bool is_lost)
{
    double length = self->x_most / MEASURE_WINDOWS;

    for (size_t i = 0; i < n; i++) {
        begin_line(self, i);
        for (unsigned k = 0; k < MEASURE_WINDOWS; k++) {
            const measure_window *window = &series[i].measure->windows[k];

            if (is_lost) {
                add_point(self, (k + .5) * length, window->n_lost / length);
            } else if (window->n_calls > window->n_lost) {
                add_point(self, (k + .5) * length, window->p99_ms);
            }
        }
        end_line(self);
    }
}

static void draw_curves(const panel *self, const plot_series *series, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        begin_line(self, i);
        for (unsigned k = 0; k < MEASURE_CURVE; k++) {
            add_point(self, k, series[i].measure->curve_ms[k]);
        }
        end_line(self);
    }
}

/* ---- scales ---- */

/* Of all latencies: whole decades. */
static void scale_latencies(panel *self, const plot_series *series, size_t n)
{
    double least = HUGE_VAL;
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        least = fmin(least, series[i].measure->p50_ms);
        most = fmax(most, series[i].measure->max_ms);
    }
    self->least =
        least > 0 && least < HUGE_VAL ? pow(10, floor(log10(least / 2))) : .01;
    self->most =
        fmax(pow(10, ceil(log10(fmax(most, self->least)))), 10 * self->least);
}

static double most_lost(const plot_series *series, size_t n, double length)
{
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < MEASURE_WINDOWS; k++) {
            most = fmax(most, series[i].measure->windows[k].n_lost / length);
        }
    }
    return most;
}

/* ---- panels ---- */

static panel open_panel(FILE *out, double top, double x_most)
{
    return (panel){.out = out, .top = top, .x_most = x_most};
}

static void draw_lost(FILE *out, double top, double duration_s,
                      const plot_series *series, size_t n, double most)
{
    panel self = open_panel(out, top, duration_s);
    double step = round_step(most / 5);

    self.most = most;
    draw_frame(&self, "calls lost, a second");
    draw_seconds(&self);
    for (double y = 0; y <= most; y += step) {
        draw_y(&self, y);
    }
    draw_over_time(&self, series, n, true);
}

static void draw_p99(FILE *out, double top, double duration_s,
                     const plot_series *series, size_t n)
{
    panel self = open_panel(out, top, duration_s);

    scale_latencies(&self, series, n);
    draw_frame(&self, "99th percentile of the latency over the time, ms");
    draw_seconds(&self);
    draw_decades(&self);
    draw_over_time(&self, series, n, false);
}

static void draw_shares(FILE *out, double top, const plot_series *series,
                        size_t n)
{
    static const char *const labels[] = {"0 %",    "90 %",    "99 %",
                                         "99.9 %", "99.99 %", "99.999 %"};
    panel self = open_panel(out, top, MEASURE_CURVE - 1);

    scale_latencies(&self, series, n);
    draw_frame(&self, "latency that this share of calls stays below, ms");
    for (unsigned i = 0; i < sizeof labels / sizeof *labels; i++) {
        draw_x(&self, i * (MEASURE_CURVE - 1) / 5.0, labels[i]);
    }
    draw_decades(&self);
    draw_curves(&self, series, n);
}

static void draw_legend(FILE *out, double top, const plot_series *series,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double y = top + (double)i * LEGEND;

        (void)fprintf(out,
                      "<line x1=\"%d\" x2=\"%d\" y1=\"%.0f\" y2=\"%.0f\" "
                      "class=\"line\" stroke=\"%s\"/>\n"
                      "<text x=\"%d\" y=\"%.0f\">",
                      LEFT, LEFT + 30, y, y, colours[i % N_COLOURS], LEFT + 38,
                      y + 4);
        write_text(out, series[i].label);
        (void)fputs("</text>\n", out);
    }
}

static void write_head(FILE *out, const char *title, double height)
{
    (void)fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
        "height=\"%.0f\" viewBox=\"0 0 %d %.0f\">\n"
        "<style>text{font:13px sans-serif;fill:#222}"
        ".title{font-weight:bold}.left{text-anchor:end;font-size:11px}"
        ".below{text-anchor:middle;font-size:11px}"
        ".frame{fill:none;stroke:#888}.grid{stroke:#e4e4e4}"
        ".line{fill:none;stroke-width:2}</style>\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
        "<text x=\"%d\" y=\"28\" style=\"font-size:17px\">",
        WIDTH, height, WIDTH, height, LEFT);
    write_text(out, title);
    (void)fputs("</text>\n", out);
}

bool plot_write(FILE *out, const char *title, double duration_s,
                const plot_series *series, size_t n)
{
    double lost = most_lost(series, n, duration_s / MEASURE_WINDOWS);
    double legend = HEAD + (double)n * LEGEND;
    unsigned n_panels = lost > 0 ? 3 : 2;

    write_head(out, title, legend + n_panels * (PANEL + GAP));
    draw_legend(out, HEAD, series, n);
    draw_p99(out, legend + GAP / 2.0, duration_s, series, n);
    draw_shares(out, legend + GAP / 2.0 + PANEL + GAP, series, n);
    if (lost > 0) {
        draw_lost(out, legend + GAP / 2.0 + 2.0 * (PANEL + GAP), duration_s,
                  series, n, lost);
    }
    (void)fputs("</svg>\n", out);
    return ferror(out) == 0;
}
