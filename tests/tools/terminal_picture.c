/* SPDX-License-Identifier: Apache-2.0 */
/* terminal_picture ROWS COLUMNS TEXT COMMAND [ARGUMENT...]: runs the command in
 * a terminal until its screen has TEXT somewhere, and draws that screen as SVG
 * on stdout. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pseudo_terminal.h"

enum { CELL_WIDTH = 9, CELL_HEIGHT = 19, BASELINE = 14, MARGIN = 12 };

#define BACKGROUND "#0d1117"
#define FOREGROUND "#d0d7de"

/* What is drawn in one go. */
typedef struct appearance {
    const char *colour;
    bool is_bold;
    bool is_underlined;
    bool is_reversed;
} appearance;

static const char *colour_of(const VTermColor *colour)
{
    static const char *const palette[] = {"#484f58", "#ff7b72", "#7ee787",
                                          "#e3b341", "#79c0ff", "#d2a8ff",
                                          "#56d4dd", "#d0d7de"};

    return VTERM_COLOR_IS_DEFAULT_FG(colour) || !VTERM_COLOR_IS_INDEXED(colour)
               ? FOREGROUND
               : palette[colour->indexed.idx % 8];
}

static appearance look_of(const VTermScreenCell *cell)
{
    return (appearance){.colour = colour_of(&cell->fg),
                        .is_bold = cell->attrs.bold != 0,
                        .is_underlined = cell->attrs.underline != 0,
                        .is_reversed = cell->attrs.reverse != 0};
}

static bool is_same(appearance a, appearance b)
{
    return a.colour == b.colour && a.is_bold == b.is_bold &&
           a.is_underlined == b.is_underlined && a.is_reversed == b.is_reversed;
}

static VTermScreenCell cell_at(const pseudo_terminal *terminal, int row,
                               int column)
{
    VTermScreenCell cell;

    (void)vterm_screen_get_cell(terminal->screen, (VTermPos){row, column},
                                &cell);
    return cell;
}

/* ---- characters ---- */

static void write_utf8(uint32_t c)
{
    if (c < 0x80) {
        (void)putchar((int)c);
    } else if (c < 0x800) {
        (void)printf("%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
    } else {
        (void)printf("%c%c%c", (int)(0xe0 | c >> 12),
                     (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
    }
}

static void write_character(uint32_t c)
{
    switch (c) {
    case '<':
        (void)fputs("&lt;", stdout);
        break;
    case '&':
        (void)fputs("&amp;", stdout);
        break;
    case 0:
        (void)putchar(' ');
        break;
    default:
        write_utf8(c);
        break;
    }
}

/* Eighths of a block from the left: drawn, since fonts leave gaps between them.
 * 0: it is none. */
static int eighths_of(uint32_t c)
{
    return c >= 0x2588 && c <= 0x258f ? (int)(0x2590 - c) : 0;
}

static int x_of(int column)
{
    return MARGIN + column * CELL_WIDTH;
}

static int y_of(int row)
{
    return MARGIN + row * CELL_HEIGHT;
}

/* ---- drawing ---- */

static void draw_block(int row, int column, int eighths, const char *colour)
{
    (void)printf("<rect x=\"%d\" y=\"%d\" width=\"%.3f\" height=\"%d\" "
                 "fill=\"%s\"/>\n",
                 x_of(column), y_of(row) + 3, CELL_WIDTH * eighths / 8.0,
                 CELL_HEIGHT - 6, colour);
}

static void draw_text(const pseudo_terminal *terminal, int row, int from,
                      int to, appearance look)
{
    if (look.is_reversed) {
        (void)printf("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
                     "fill=\"%s\"/>\n",
                     x_of(from), y_of(row), (to - from) * CELL_WIDTH,
                     CELL_HEIGHT, look.colour);
    }
    (void)printf("<text x=\"%d\" y=\"%d\" textLength=\"%d\" fill=\"%s\"%s%s>",
                 x_of(from), y_of(row) + BASELINE, (to - from) * CELL_WIDTH,
                 look.is_reversed ? BACKGROUND : look.colour,
                 look.is_bold ? " font-weight=\"bold\"" : "",
                 look.is_underlined ? " text-decoration=\"underline\"" : "");
    for (int column = from; column < to; column++) {
        write_character(cell_at(terminal, row, column).chars[0]);
    }
    (void)printf("</text>\n");
}

static bool is_blank(const VTermScreenCell *cell)
{
    return (cell->chars[0] == 0 || cell->chars[0] == ' ') &&
           !cell->attrs.reverse && !cell->attrs.underline;
}

/* Runs of one look; blanks between them are not drawn. */
static void draw_row(const pseudo_terminal *terminal, int row)
{
    int column = 0;

    while (column < terminal->columns) {
        VTermScreenCell cell = cell_at(terminal, row, column);
        appearance look = look_of(&cell);
        int from = column;

        if (eighths_of(cell.chars[0]) != 0) {
            draw_block(row, column++, eighths_of(cell.chars[0]), look.colour);
            continue;
        }
        if (is_blank(&cell)) {
            column++;
            continue;
        }
        while (column < terminal->columns) {
            cell = cell_at(terminal, row, column);
            if (!is_same(look, look_of(&cell)) || is_blank(&cell) ||
                eighths_of(cell.chars[0]) != 0) {
                break;
            }
            column++;
        }
        draw_text(terminal, row, from, column, look);
    }
}

static void draw(const pseudo_terminal *terminal)
{
    int width = terminal->columns * CELL_WIDTH + 2 * MARGIN;
    int height = terminal->rows * CELL_HEIGHT + 2 * MARGIN;

    (void)printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
                 "height=\"%d\" viewBox=\"0 0 %d %d\" "
                 "font-family=\"monospace\" font-size=\"15\" "
                 "xml:space=\"preserve\">\n",
                 width, height, width, height);
    (void)printf("<rect width=\"%d\" height=\"%d\" rx=\"6\" "
                 "fill=\"" BACKGROUND "\"/>\n",
                 width, height);
    for (int row = 0; row < terminal->rows; row++) {
        draw_row(terminal, row);
    }
    (void)printf("</svg>\n");
}

int main(int argc, char **argv)
{
    pseudo_terminal terminal;
    bool is_there;

    if (argc < 5) {
        (void)fputs("usage: terminal_picture ROWS COLUMNS TEXT COMMAND...\n",
                    stderr);
        return EXIT_FAILURE;
    }
    (void)setenv("TERM", "xterm-256color", 1);
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    if (!pseudo_terminal_start(&terminal, argv + 4, atoi(argv[1]),
                               atoi(argv[2]))) {
        return EXIT_FAILURE;
    }
    is_there = pseudo_terminal_await(&terminal, argv[3]);
    if (is_there) {
        pseudo_terminal_run(&terminal, 200); /* the rest of the screen */
        draw(&terminal);
    }
    pseudo_terminal_end(&terminal);
    return is_there ? EXIT_SUCCESS : EXIT_FAILURE;
}
