/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what the checks found: a line each, and its hint on the next. */
#include "report.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../clean.h"

static const char *const name_keys[] = {"result", "check", "subject", NULL};

/* Signs only for people, whose terminal shows them. */
static bool has_signs(void)
{
    locale_t locale;
    bool is_utf8;

    if (isatty(STDOUT_FILENO) != 1) {
        return false;
    }
    locale = newlocale(LC_CTYPE_MASK, "", NULL);
    if (locale == NULL) {
        return false;
    }
    is_utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return is_utf8;
}

static const char *sign_of(const char *result, bool is_sign)
{
    static const struct {
        const char *result;
        const char *word;
        const char *sign;
    } all[] = {{"ok", "ok     ", "\u221a"},
               {"warning", "warning", "\u203c"},
               {"failure", "failure", "\u00d7"}};
    size_t i = 0;

    while (i < 2 && strcmp(all[i].result, result) != 0) {
        i++;
    }
    return is_sign ? all[i].sign : all[i].word;
}

static const char *text_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

/* What comes from outside does not steer the terminal. */
static bool write_clean(const char *before, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL) {
        return false;
    }
    clean_text(copy);
    (void)printf("%s%s", before, copy);
    free(copy);
    return true;
}

static bool write_check(const json_t *row, bool is_sign)
{
    const char *subject = text_of(row, "subject");
    const char *hint = text_of(row, "hint");

    (void)printf("  %s  %s", sign_of(text_of(row, "result"), is_sign),
                 text_of(row, "check"));
    if ((subject != NULL && !write_clean(" ", subject)) ||
        !write_clean(": ", text_of(row, "detail"))) {
        return false;
    }
    (void)putchar('\n');
    if (hint != NULL) {
        (void)printf("  %s  hint: %s\n", is_sign ? " " : "       ", hint);
    }
    return true;
}

static int count_of(const json_t *document, const char *key)
{
    return (int)json_integer_value(json_object_get(document, key));
}

static void write_counts(const json_t *document)
{
    const int n_warnings = count_of(document, "warnings");
    const int n_failures = count_of(document, "failures");

    (void)printf("\n%d ok, %d warning%s, %d failure%s\n",
                 count_of(document, "ok"), n_warnings,
                 n_warnings == 1 ? "" : "s", n_failures,
                 n_failures == 1 ? "" : "s");
}

static bool write_checks(const json_t *document)
{
    const json_t *checks = json_object_get(document, "checks");
    const bool is_sign = has_signs();
    const char *group = "";
    size_t index;
    json_t *row;

    json_array_foreach(checks, index, row)
    {
        if (strcmp(text_of(row, "group"), group) != 0) {
            group = text_of(row, "group");
            (void)printf("%s%s\n", index == 0 ? "" : "\n", group);
        }
        if (!write_check(row, is_sign)) {
            return false;
        }
    }
    write_counts(document);
    return true;
}

exit_code report_print(output *format, json_t *document)
{
    const output_report report = {document, "checks", NULL, name_keys};

    if (format->format != OUTPUT_TABLE || document == NULL) {
        return output_write(format, &report);
    }
    return write_checks(document)
               ? output_flush()
               : command_fail(EXIT_CODE_FAILURE, "output", "out of memory");
}
