/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal, by ncurses. */
#include "terminal.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { N_WATCHED = sizeof watched / sizeof watched[0] };

static SCREEN *screen;
static volatile sig_atomic_t noted;      /* to end by */
static volatile sig_atomic_t is_to_stop; /* by SIGTSTP */
static struct sigaction former[N_WATCHED];
static sigset_t former_mask;
static int attributes[TOP_N_STYLES];

/* ---- signals ---- */

static void note(int number)
{
    if (number == SIGTSTP) {
        is_to_stop = true;
    } else {
        noted = number;
    }
}

static const struct sigaction noting = {.sa_handler = note};

/* They come in while a key is waited for, and at no other time: so none is
 * missed between looking and waiting. SIGTSTP, too: ncurses' own handler writes
 * to the terminal wherever it comes, which malloc() and stdio do not allow. */
static void watch_signals(void)
{
    sigset_t mask;

    (void)sigemptyset(&mask);
    for (int i = 0; i < N_WATCHED; i++) {
        (void)sigaction(watched[i], NULL, &former[i]);
        if (former[i].sa_handler != SIG_IGN) { /* as nohup has it */
            (void)sigaction(watched[i], &noting, NULL);
        }
        (void)sigaddset(&mask, watched[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &mask, &former_mask);
}

static void unwatch_signals(void)
{
    (void)sigprocmask(SIG_SETMASK, &former_mask, NULL);
    for (int i = 0; i < N_WATCHED; i++) {
        (void)sigaction(watched[i], &former[i], NULL);
    }
}

int top_terminal_signal(void)
{
    return noted;
}

/* ---- opening and closing ---- */

bool top_terminal_is_there(void)
{
    const char *kind = getenv("TERM");

    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 &&
           kind != NULL && kind[0] != '\0' && strcmp(kind, "dumb") != 0;
}

static bool is_coloured(void)
{
    const char *no_color = getenv("NO_COLOR");

    return (no_color == NULL || no_color[0] == '\0') && has_colors();
}

static void choose_attributes(void)
{
    static const short colours[TOP_N_STYLES] = {[TOP_GOOD] = COLOR_GREEN,
                                                [TOP_DOUBTFUL] = COLOR_YELLOW,
                                                [TOP_BAD] = COLOR_RED,
                                                [TOP_BAR] = COLOR_CYAN};

    attributes[TOP_STRONG] = (int)A_BOLD;
    attributes[TOP_HEADING] = (int)A_UNDERLINE;
    attributes[TOP_FAINT] = (int)A_DIM;
    attributes[TOP_DOUBTFUL] = (int)A_BOLD;
    attributes[TOP_BAD] = (int)A_BOLD;
    if (!is_coloured() || start_color() == ERR || use_default_colors() == ERR) {
        return;
    }
    for (short style = 0; style < TOP_N_STYLES; style++) {
        if (colours[style] != 0) {
            (void)init_pair(style, colours[style], -1);
            attributes[style] = (int)COLOR_PAIR(style);
        }
    }
    attributes[TOP_BAD] |= (int)A_BOLD;
}

bool top_terminal_open(void)
{
    (void)setlocale(LC_CTYPE, "");
    noted = 0;
    is_to_stop = false;
    watch_signals();
    screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) {
        unwatch_signals();
        return false;
    }
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, true);
    (void)nodelay(stdscr, true);
    (void)set_escdelay(25);
    (void)curs_set(0);
    choose_attributes();
    return true;
}

void top_terminal_close(void)
{
    (void)endwin();
    delscreen(screen);
    screen = NULL;
    unwatch_signals();
}

void top_terminal_get_size(int *ret_rows, int *ret_columns)
{
    *ret_rows = LINES;
    *ret_columns = COLS;
}

bool top_terminal_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* ---- drawing ---- */

/* So many columns of text; what the terminal cannot show is a "?". */
static size_t draw_text(const char *text, size_t bytes, size_t room)
{
    size_t n = top_text_bytes(text, room);
    size_t columns = 0;

    n = n < bytes ? n : bytes;
    for (size_t i = 0; i < n; i++) {
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    if (top_terminal_is_utf8()) {
        (void)addnstr(text, (int)n);
        return columns;
    }
    for (size_t i = 0; i < n; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) {
            (void)addch(text[i] < 0 ? '?' : (chtype)text[i]);
        }
    }
    return columns;
}

static void draw_line(int row, const top_line *line)
{
    size_t room = (size_t)COLS;

    if (move(row, 0) == ERR) {
        return;
    }
    for (size_t i = 0; i < line->n_spans && room > 0; i++) {
        const top_span *span = &line->spans[i];

        (void)attrset(attributes[span->style]);
        room -= draw_text(line->text + span->first, span->length, room);
    }
    (void)attrset((int)A_NORMAL);
}

/* Not the very last column: writing there would scroll some terminals. */
static void draw_foot(const char *foot, top_style style)
{
    size_t room = COLS > 1 ? (size_t)COLS - 1 : 0;
    size_t used;

    (void)move(LINES - 1, 0);
    (void)attrset(attributes[style] | (int)A_REVERSE);
    used = draw_text(foot, strlen(foot), room);
    for (; used < room; used++) {
        (void)addch(' ');
    }
    (void)attrset((int)A_NORMAL);
}

void top_terminal_draw(const top_page *page, size_t first, const char *foot,
                       top_style foot_style)
{
    size_t rows = LINES > 1 ? (size_t)LINES - 1 : 0;

    (void)erase();
    for (size_t row = 0; row < rows; row++) {
        size_t number = row < page->n_fixed ? row : row + first;

        if (number < page->n_lines) {
            draw_line((int)row, &page->lines[number]);
        }
    }
    draw_foot(foot, foot_style);
    (void)refresh();
}

/* ---- keys ---- */

static top_key key_of(int character)
{
    static const struct {
        int character;
        top_key key;
    } keys[] = {
        {KEY_RESIZE, TOP_KEY_RESIZE},
        {KEY_UP, TOP_KEY_UP},
        {'k', TOP_KEY_UP},
        {KEY_DOWN, TOP_KEY_DOWN},
        {'j', TOP_KEY_DOWN},
        {KEY_PPAGE, TOP_KEY_PAGE_UP},
        {KEY_NPAGE, TOP_KEY_PAGE_DOWN},
        {' ', TOP_KEY_PAGE_DOWN},
        {KEY_HOME, TOP_KEY_FIRST},
        {'g', TOP_KEY_FIRST},
        {KEY_END, TOP_KEY_LAST},
        {'G', TOP_KEY_LAST},
        {'q', TOP_KEY_QUIT},
        {'Q', TOP_KEY_QUIT},
        {'c', TOP_KEY_BY_CALLS},
        {'i', TOP_KEY_BY_IN_FLIGHT},
        {'s', TOP_KEY_BY_STATE},
        {'a', TOP_KEY_BY_ADDRESS},
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].character == character) {
            return keys[i].key;
        }
    }
    return TOP_KEY_OTHER;
}

/* With the signals let in. -1 and EINTR: one came, or the size has changed. */
static int await_input(uint64_t wait_ms, bool *ret_has_gone)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    struct timespec wait = {.tv_sec = (time_t)(wait_ms / 1000),
                            .tv_nsec = (long)(wait_ms % 1000) * 1000000};
    int n = ppoll(&input, 1, &wait, &former_mask);

    *ret_has_gone = n > 0 && input.revents != POLLIN;
    return n;
}

/* Returns when the shell says that it goes on. */
static void stop(void)
{
    const struct sigaction stopping = {.sa_handler = SIG_DFL};
    sigset_t mask;

    is_to_stop = false;
    (void)endwin();
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTSTP);
    (void)sigaction(SIGTSTP, &stopping, NULL);
    (void)raise(SIGTSTP);
    (void)sigprocmask(SIG_UNBLOCK, &mask, NULL); /* here it stops */
    (void)sigprocmask(SIG_BLOCK, &mask, NULL);
    (void)sigaction(SIGTSTP, &noting, NULL);
    (void)refresh();
}

top_key top_terminal_key(uint64_t wait_ms)
{
    bool has_gone = false;
    int character = getch(); /* what it has read already, or a new size */

    if (character == ERR) {
        int n = await_input(wait_ms, &has_gone);

        if (noted != 0 || has_gone) {
            return TOP_KEY_END;
        }
        if (is_to_stop) {
            stop();
            return TOP_KEY_RESIZE; /* it may be another one by now */
        }
        character = getch();
        if (character == ERR && n > 0) {
            return TOP_KEY_OTHER;
        }
    }
    return character == ERR ? TOP_KEY_NONE : key_of(character);
}
