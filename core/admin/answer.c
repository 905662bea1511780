/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin socket answers. The schema is in ../README.md. */
#include "answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <muster/version.h>

#include <channel_dump.h>
#include <channel_internal.h>
#include <json_text.h>
#include <loop.h>

/* An object that is not closed yet. */
static void write_process(FILE *out)
{
    (void)fprintf(out, "{\"schema_version\":1,\"muster\":\"%s\",\"pid\":%d",
                  muster_version(), (int)getpid());
    (void)fputs(",\"program\":", out);
    muster__json_string(out, program_invocation_short_name);
    (void)fprintf(out, ",\"time_ms\":%" PRIu64, muster__now_ms());
}

static size_t n_open(void)
{
    size_t n = 0;

    for (const muster_channel *channel = muster__shutdown_first();
         channel != NULL; channel = channel->shutdown.next) {
        n += !channel->is_closing;
    }
    return n;
}

/* Those that are open, the oldest first: the list begins with the youngest.
 * NULL when out of memory. */
static const muster_channel **open_channels(size_t n)
{
    const muster_channel **channels =
        calloc(n == 0 ? 1 : n, sizeof(const muster_channel *));

    for (const muster_channel *channel = muster__shutdown_first();
         channels != NULL && channel != NULL;
         channel = channel->shutdown.next) {
        if (!channel->is_closing) {
            channels[--n] = channel;
        }
    }
    return channels;
}

/* False: out of memory. */
static bool write_channels(FILE *out)
{
    size_t n = n_open();
    const muster_channel **channels = open_channels(n);
    bool is_whole = channels != NULL;

    (void)fputs(",\"channels\":[", out);
    for (size_t i = 0; is_whole && i < n; i++) {
        (void)fputs(i == 0 ? "" : ",", out);
        is_whole = muster__channel_dump(channels[i],
                                        channels[i]->shutdown.number, out);
    }
    (void)fputc(']', out);
    free((void *)channels);
    return is_whole;
}

static bool write_refusal(FILE *out, const char *why)
{
    (void)fprintf(out, "{\"schema_version\":1,\"error\":\"%s\"", why);
    return true;
}

static bool is_request(const char *request, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(request, name, length) == 0;
}

static bool write_answer(FILE *out, const char *request, size_t length)
{
    if (request == NULL) {
        return write_refusal(out, "a request has at most 255 bytes");
    }
    if (is_request(request, length, "channels")) {
        write_process(out);
        return write_channels(out);
    }
    if (is_request(request, length, "version")) {
        write_process(out);
        return true;
    }
    return write_refusal(out,
                         "no such request: there are channels and version");
}

char *muster__admin_answer(const char *request, size_t length)
{
    muster__json_text json = {.text = NULL};
    FILE *out = muster__json_open(&json);
    char *line;
    bool is_whole;

    if (out == NULL) {
        return NULL;
    }
    is_whole = write_answer(out, request, length);
    (void)fputs("}\n", out);
    line = muster__json_close(&json, out);
    if (!is_whole) {
        free(line);
        return NULL;
    }
    return line;
}
