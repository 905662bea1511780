/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a body entry by entry: as one tree it would take ten times its size. */
#include "entries.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <json_error.h>

/* What is left to read. */
typedef struct rest {
    const char *start;
    const char *at;
    const char *end;
} rest;

static char next_character(rest *text)
{
    while (text->at < text->end && strchr(" \t\r\n", *text->at) != NULL &&
           *text->at != '\0') {
        text->at++;
    }
    return text->at < text->end ? *text->at : '\0';
}

static muster_status refuse(const rest *text, const char *what,
                            muster_error *err)
{
    return muster_error_set(err, MUSTER_PROTOCOL, "byte %zu of the answer: %s",
                            (size_t)(text->at - text->start), what);
}

static muster_status add_endpoint(muster__consul_entries *entries,
                                  const muster_endpoint *endpoint,
                                  muster_error *err)
{
    if (entries->n_endpoints == entries->capacity) {
        size_t capacity = entries->capacity * 2 + 16;
        muster_endpoint *endpoints = reallocarray(entries->endpoints, capacity,
                                                  sizeof *entries->endpoints);

        if (endpoints == NULL) {
            return muster_error_set(err, MUSTER_NOMEM, "out of memory");
        }
        entries->endpoints = endpoints;
        entries->capacity = capacity;
    }
    entries->endpoints[entries->n_endpoints++] = *endpoint;
    return MUSTER_OK;
}

static muster_status read_one(const json_t *entry,
                              const muster__consul_view *view,
                              muster__consul_entries *entries,
                              muster_error *err)
{
    muster_endpoint endpoint = {.address = NULL};
    bool is_wanted = false;
    muster_error why;
    muster_status status = muster__consul_entry_read(
        entry, view, &entries->arena, &endpoint, &is_wanted, &why);

    if (status == MUSTER_PROTOCOL) {
        if (entries->n_bad++ == 0) {
            entries->reason = why;
        }
        return MUSTER_OK;
    }
    if (status != MUSTER_OK) {
        return muster_error_set(err, status, "%s", why.message);
    }
    return is_wanted ? add_endpoint(entries, &endpoint, err) : MUSTER_OK;
}

/* Jansson quotes the text "near" a fault; an answer may have a token there. */
static void drop_excerpt(char *message)
{
    char *near = strstr(message, " near '");

    if (near != NULL) {
        *near = '\0';
    }
}

/* Reads the value at text and goes on behind it. */
static muster_status read_next(rest *text, const muster__consul_view *view,
                               muster__consul_entries *entries,
                               muster_error *err)
{
    json_error_t error;
    json_t *entry;
    muster_status status;

    errno = 0;
    entry = json_loadb(text->at, (size_t)(text->end - text->at),
                       JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &error);
    if (entry == NULL && muster__json_is_out_of_memory(&error)) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    if (entry == NULL) {
        text->at += error.position > 0 ? error.position : 0;
        drop_excerpt(error.text);
        return refuse(text, error.text, err);
    }
    text->at += error.position;
    status = read_one(entry, view, entries, err);
    json_decref(entry);
    return status;
}

static muster_status read_array(rest *text, const muster__consul_view *view,
                                muster__consul_entries *entries,
                                muster_error *err)
{
    muster_status status = MUSTER_OK;
    char c;

    if (next_character(text) != '[') {
        return refuse(text, "expected a JSON array", err);
    }
    text->at++;
    if (next_character(text) == ']') {
        text->at++;
        return MUSTER_OK;
    }
    do {
        (void)next_character(text);
        status = read_next(text, view, entries, err);
        if (status != MUSTER_OK) {
            return status;
        }
        c = next_character(text);
        if (c != ',' && c != ']') {
            return refuse(text, "expected a \",\" or the array's end", err);
        }
        text->at++;
    } while (c == ',');
    return MUSTER_OK;
}

muster_status muster__consul_entries_parse(const char *text, size_t length,
                                           const muster__consul_view *view,
                                           muster__consul_entries *entries,
                                           muster_error *err)
{
    rest left = {text, text, text + length};
    muster_status status = read_array(&left, view, entries, err);

    if (status == MUSTER_OK &&
        (next_character(&left) != '\0' || left.at != left.end)) {
        status = refuse(&left, "something follows the array", err);
    }
    if (status == MUSTER_OK && entries->n_bad > 0 &&
        entries->n_endpoints == 0) {
        status = muster_error_set(err, MUSTER_PROTOCOL,
                                  "none of %zu entries is fit for use; the "
                                  "first: %s",
                                  entries->n_bad, entries->reason.message);
    }
    return status;
}

void muster__consul_entries_clear(muster__consul_entries *entries)
{
    free(entries->endpoints);
    muster__consul_arena_free(&entries->arena);
    memset(entries, 0, sizeof *entries);
}

/* ---- the limit ---- */

/* Rendezvous hashing: those of the lowest hashes stay. The hash is kept where
 * it is at hand, in a copy. */
typedef struct ranked {
    uint64_t rank;
    muster_endpoint endpoint;
} ranked;

static int compare(const void *a, const void *b)
{
    const ranked *one = a;
    const ranked *other = b;

    if (one->rank != other->rank) {
        return one->rank < other->rank ? -1 : 1;
    }
    return strcmp(one->endpoint.address, other->endpoint.address);
}

void muster__consul_entries_limit(muster__consul_entries *entries, size_t limit,
                                  uint64_t seed)
{
    ranked *all;

    if (entries->n_endpoints <= limit) {
        return;
    }
    all = calloc(entries->n_endpoints, sizeof *all);
    for (size_t i = 0; all != NULL && i < entries->n_endpoints; i++) {
        const char *address = entries->endpoints[i].address;

        all[i].rank = XXH64(address, strlen(address), seed);
        all[i].endpoint = entries->endpoints[i];
    }
    if (all != NULL) {
        qsort(all, entries->n_endpoints, sizeof *all, compare);
    }
    for (size_t i = 0; all != NULL && i < limit; i++) {
        entries->endpoints[i] = all[i].endpoint;
    }
    entries->n_endpoints = limit; /* without memory: the first ones */
    free(all);
}
