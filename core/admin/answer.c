/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin socket answers. The schema is in ../README.md. */
#include "answer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <muster/version.h>

#include <channel_dump.h>
#include <channel_internal.h>
#include <loop.h>

struct muster__admin_answer {
    const char *refusal; /* or NULL */
    bool has_channels;
    uint64_t time_ms;
    muster__channel_snapshot *channels; /* of those that are open, the oldest
                                           first */
};

/* ---- Thread: control ---- */

/* The list begins with the youngest, so that each goes in front. False: out of
 * memory. */
static bool take_channels(muster__admin_answer *answer)
{
    answer->has_channels = true;
    for (const muster_channel *channel = muster__shutdown_first();
         channel != NULL; channel = channel->shutdown.next) {
        muster__channel_snapshot *snapshot;

        if (channel->is_closing) {
            continue;
        }
        snapshot = muster__channel_snapshot_take(channel);
        if (snapshot == NULL) {
            return false;
        }
        snapshot->next = answer->channels;
        answer->channels = snapshot;
    }
    return true;
}

static bool is_request(const char *request, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(request, name, length) == 0;
}

static bool take(muster__admin_answer *answer, const char *request,
                 size_t length)
{
    answer->time_ms = muster__now_ms();
    if (request == NULL) {
        answer->refusal = "a request has at most 255 bytes";
    } else if (is_request(request, length, "channels")) {
        return take_channels(answer);
    } else if (!is_request(request, length, "version")) {
        answer->refusal = "no such request: there are channels and version";
    }
    return true;
}

muster__admin_answer *muster__admin_answer_create(const char *request,
                                                  size_t length)
{
    muster__admin_answer *answer = calloc(1, sizeof *answer);

    if (answer != NULL && !take(answer, request, length)) {
        muster__admin_answer_destroy(answer);
        return NULL;
    }
    return answer;
}

/* ---- Thread: any ---- */

void muster__admin_answer_destroy(muster__admin_answer *answer)
{
    if (answer == NULL) {
        return;
    }
    while (answer->channels != NULL) {
        muster__channel_snapshot *first = answer->channels;

        answer->channels = first->next;
        muster__channel_snapshot_free(first);
    }
    free(answer);
}

/* The channel, with its number in front. */
static json_t *channel_with_id(const muster__channel_snapshot *snapshot)
{
    json_t *json = json_object();
    json_t *dump = muster__channel_dump(snapshot);

    if (json_object_set_new(json, "id",
                            json_integer((json_int_t)snapshot->number)) != 0 ||
        json_object_update(json, dump) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(dump);
    return json;
}

static json_t *channels_of(const muster__admin_answer *answer)
{
    json_t *array = json_array();

    for (const muster__channel_snapshot *snapshot = answer->channels;
         snapshot != NULL && array != NULL; snapshot = snapshot->next) {
        if (json_array_append_new(array, channel_with_id(snapshot)) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static json_t *json_of(const muster__admin_answer *answer)
{
    json_t *program;
    json_t *json;

    if (answer->refusal != NULL) {
        return json_pack("{s:i, s:s}", "schema_version", 1, "error",
                         answer->refusal);
    }
    program = json_string(program_invocation_short_name);
    json = json_pack("{s:i, s:s, s:I, s:o, s:I}", "schema_version", 1, "muster",
                     muster_version(), "pid", (json_int_t)getpid(), "program",
                     program != NULL ? program : json_null(), "time_ms",
                     (json_int_t)answer->time_ms);
    if (answer->has_channels &&
        json_object_set_new(json, "channels", channels_of(answer)) != 0) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

char *muster__admin_answer_line(const muster__admin_answer *answer)
{
    json_t *json = json_of(answer);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    char *line = NULL;

    json_decref(json);
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
