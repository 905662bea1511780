/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin socket answers. The schema is in ../README.md. */
#include "answer.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <muster/version.h>

#include <channel_dump.h>
#include <channel_internal.h>
#include <loop.h>

static json_t *process(void)
{
    json_t *program = json_string(program_invocation_short_name);

    return json_pack("{s:i, s:s, s:I, s:o, s:I}", "schema_version", 1, "muster",
                     muster_version(), "pid", (json_int_t)getpid(), "program",
                     program != NULL ? program : json_null(), "time_ms",
                     (json_int_t)muster__now_ms());
}

/* The channel, with its number in front. */
static json_t *channel_with_id(const muster_channel *channel)
{
    json_t *json = json_object();
    json_t *dump = muster__channel_dump(channel);

    if (json_object_set_new(
            json, "id", json_integer((json_int_t)channel->shutdown.number)) !=
            0 ||
        json_object_update(json, dump) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(dump);
    return json;
}

/* Those that are open. The list begins with the youngest; the array does not.
 */
static json_t *channels(void)
{
    json_t *array = json_array();
    size_t n = 0;

    for (const muster_channel *channel = muster__shutdown_first();
         channel != NULL && array != NULL; channel = channel->shutdown.next) {
        if (!channel->is_closing) {
            n++;
            if (json_array_append_new(array, json_null()) != 0) {
                json_decref(array);
                array = NULL;
            }
        }
    }
    for (const muster_channel *channel = muster__shutdown_first();
         channel != NULL && array != NULL; channel = channel->shutdown.next) {
        if (!channel->is_closing &&
            json_array_set_new(array, --n, channel_with_id(channel)) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static json_t *process_with_channels(void)
{
    json_t *json = process();

    if (json_object_set_new(json, "channels", channels()) != 0) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

static json_t *refusal(const char *why)
{
    return json_pack("{s:i, s:s}", "schema_version", 1, "error", why);
}

static bool is_request(const char *request, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(request, name, length) == 0;
}

json_t *muster__admin_answer(const char *request, size_t length)
{
    if (request == NULL) {
        return refusal("a request has at most 255 bytes");
    }
    if (is_request(request, length, "channels")) {
        return process_with_channels();
    }
    if (is_request(request, length, "version")) {
        return process();
    }
    return refusal("no such request: there are channels and version");
}

char *muster__admin_line(json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    char *line = NULL;

    json_decref(answer);
    if (text != NULL) {
        size_t n = strlen(text);

        line = realloc(text, n + 2);
        if (line == NULL) {
            free(text);
            return NULL;
        }
        memcpy(line + n, "\n", 2);
    }
    return line;
}
