/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on the server's input. */
#include "control.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counts.h"
#include "faults.h"
#include "health.h"
#include "options.h"

/* One line, whatever the thread that serves prints. */
static void reply(const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    (void)printf("%s\n", line);
    (void)fflush(stdout);
}

static void set_health(const char *status, const char *name)
{
    if (health_set(name, status)) {
        reply("OK");
    } else {
        reply("ERROR no such status of health, or no room: %s", status);
    }
}

static void fail_health(const char *code)
{
    grpc_status_code status;

    if (options_parse_status(code, &status)) {
        health_fail(status);
        reply("OK");
    } else {
        reply("ERROR no such status: %s", code);
    }
}

static void set_error_rate(const char *text)
{
    char *end = NULL;
    const double rate = strtod(text, &end);

    if (end != text && *end == '\0' && rate >= 0 && rate <= 1) {
        faults_set_error_rate(rate);
        reply("OK");
    } else {
        reply("ERROR no share from 0 to 1: %s", text);
    }
}

static void set_delay(const char *text)
{
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
        faults_set_delay(strtol(text, NULL, 10));
        reply("OK");
    } else {
        reply("ERROR no delay in ms: %s", text);
    }
}

static void tell_counts(void)
{
    char text[256];

    counts_print(text, sizeof text);
    reply("COUNTS %s", text);
}

static void obey(const char *line)
{
    char words[3][128] = {"", "", ""};

    (void)sscanf(line, "%127s %127s %127s", words[0], words[1], words[2]);
    if (strcmp(words[0], "health") == 0) {
        set_health(words[1], words[2]);
    } else if (strcmp(words[0], "health-calls") == 0) {
        fail_health(words[1]);
    } else if (strcmp(words[0], "error-rate") == 0) {
        set_error_rate(words[1]);
    } else if (strcmp(words[0], "delay") == 0) {
        set_delay(words[1]);
    } else if (strcmp(words[0], "counts") == 0) {
        tell_counts();
    } else {
        reply("ERROR no such command: %s", words[0]);
    }
}

void *control_run(void *unused)
{
    char line[512];

    (void)unused;
    while (fgets(line, sizeof line, stdin) != NULL) {
        obey(line);
    }
    _exit(0);
    return NULL;
}
