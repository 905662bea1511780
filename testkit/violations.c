/* SPDX-License-Identifier: Apache-2.0 */
/* Collects lines of text about broken rules. */
#include "violations.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void testkit_violations_init(testkit_violations *violations)
{
    (void)pthread_mutex_init(&violations->mutex, NULL);
    violations->text[0] = '\0';
    violations->read[0] = '\0';
    violations->is_unread = false;
}

void testkit_violations_fini(testkit_violations *violations)
{
    if (violations->is_unread) {
        (void)fprintf(stderr, "muster testkit: rules were broken:\n%s",
                      violations->text);
        abort();
    }
    (void)pthread_mutex_destroy(&violations->mutex);
}

void testkit_violations_add(testkit_violations *violations, const char *format,
                            ...)
{
    char line[600];
    va_list args;
    size_t used;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    (void)pthread_mutex_lock(&violations->mutex);
    used = strlen(violations->text);
    (void)snprintf(violations->text + used, sizeof violations->text - used,
                   "%s\n", line);
    violations->is_unread = true;
    (void)pthread_mutex_unlock(&violations->mutex);
}

const char *testkit_violations_read(testkit_violations *violations)
{
    (void)pthread_mutex_lock(&violations->mutex);
    memcpy(violations->read, violations->text, sizeof violations->read);
    violations->is_unread = false;
    (void)pthread_mutex_unlock(&violations->mutex);
    return violations->read;
}
