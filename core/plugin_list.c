/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of plugins, schemes and policies, loaded or not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fork.h"
#include "loop.h"
#include "plugin_catalog.h"
#include "plugin_check.h"
#include "plugin_table.h"
#include "registry.h"

/* More than any note can hold, per plugin; what is beyond is left out. */
#define MAX_NAMES 256

/* Sorted, without repeats; the strings belong to others. */
typedef struct name_list {
    const char *names[MAX_NAMES];
    size_t n;
} name_list;

static void insert(name_list *list, const char *name)
{
    size_t at = 0;

    while (at < list->n && strcmp(list->names[at], name) < 0) {
        at++;
    }
    if (list->n == MAX_NAMES ||
        (at < list->n && strcmp(list->names[at], name) == 0)) {
        return;
    }
    memmove(&list->names[at + 1], &list->names[at],
            (list->n - at) * sizeof *list->names);
    list->names[at] = name;
    list->n++;
}

/* gRPC's name of a policy from when it was new: whoever lists the other name
 * need not list it, too. */
static bool is_former_name(const muster__note *note, const char *class_text)
{
    static const char ending[] = "_experimental";
    const size_t length = strlen(class_text);
    const size_t n = length - (sizeof ending - 1);
    char name[MUSTER_NOTE_TEXT_SIZE];

    if (length < sizeof ending || strcmp(class_text + n, ending) != 0) {
        return false;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)n, class_text);
    return muster__note_has_class(note, name);
}

/* The classes of note that start with prefix, without it. */
static void insert_classes(name_list *list, const muster__note *note,
                           const char *prefix)
{
    const char *class_text = muster__note_next_class(note, NULL);
    size_t length = strlen(prefix);

    while (class_text != NULL) {
        if (strncmp(class_text, prefix, length) == 0 &&
            !is_former_name(note, class_text)) {
            insert(list, class_text + length);
        }
        class_text = muster__note_next_class(note, class_text);
    }
}

/* Whole names only: what has no room is "...". */
static void join(const name_list *list, char *buffer, size_t size)
{
    static const char more[] = ", ...";
    size_t used = 0;

    if (size > 0) {
        buffer[0] = '\0';
    }
    for (size_t i = 0; i < list->n; i++) {
        if (used + strlen(", ") + strlen(list->names[i]) + sizeof more > size) {
            (void)snprintf(buffer + used, size - used, "%s", more);
            return;
        }
        used += (size_t)snprintf(buffer + used, size - used, "%s%s",
                                 i == 0 ? "" : ", ", list->names[i]);
    }
}

static void list_classes(const char *prefix, char *buffer, size_t size)
{
    muster__catalog catalog = {NULL, 0, 0};
    muster__plugin *plugin = muster__table_next(NULL);
    name_list list = {.n = 0};

    while (plugin != NULL) {
        insert_classes(&list, &plugin->note, prefix);
        plugin = muster__table_next(plugin);
    }
    /* Out of memory: the list is for people; what is loaded is in it. */
    (void)muster__catalog_read(&catalog);
    for (size_t i = 0; i < catalog.n; i++) {
        if (catalog.items[i].refusal.code == MUSTER_OK) {
            insert_classes(&list, &catalog.items[i].note, prefix);
        }
    }
    join(&list, buffer, size);
    muster__catalog_release(&catalog);
}

void muster__registry_list_schemes(char *buffer, size_t size)
{
    list_classes(MUSTER__RESOLVER_PREFIX, buffer, size);
}

void muster__registry_list_policies(char *buffer, size_t size)
{
    list_classes(MUSTER__BALANCER_PREFIX, buffer, size);
}

static bool has_class(const muster__catalog *catalog, const char *class_text)
{
    for (size_t i = 0; i < catalog->n; i++) {
        if (catalog->items[i].refusal.code == MUSTER_OK &&
            muster__note_has_class(&catalog->items[i].note, class_text)) {
            return true;
        }
    }
    return false;
}

muster_status muster__registry_find_scheme(const char *scheme)
{
    char class_text[80];
    muster__catalog catalog;
    muster_status status;

    if (!muster__scheme_is_valid(scheme)) {
        return MUSTER_NOTFOUND;
    }
    (void)snprintf(class_text, sizeof class_text, MUSTER__RESOLVER_PREFIX "%s",
                   scheme);
    if (muster__table_find_class(class_text) != NULL) {
        return MUSTER_OK;
    }
    status = muster__catalog_read(&catalog);
    if (status == MUSTER_OK) {
        status = has_class(&catalog, class_text) ? MUSTER_OK : MUSTER_NOTFOUND;
        muster__catalog_release(&catalog);
    }
    return status;
}

/* ---- muster_plugin_list() ---- */

/* "resolver:dns balancer:x". No longer than the note's text. */
static void join_classes(const muster__note *note, char *buffer)
{
    const char *class_text = muster__note_next_class(note, NULL);
    size_t used = 0;

    buffer[0] = '\0';
    while (class_text != NULL) {
        int length = snprintf(buffer + used, MUSTER_NOTE_TEXT_SIZE - used,
                              "%s%s", used == 0 ? "" : " ", class_text);

        used += length < 0 ? 0 : (size_t)length;
        class_text = muster__note_next_class(note, class_text);
    }
}

static void tell(muster_plugin_list_fn fn, void *arg, const muster__note *note,
                 const char *path, const char *refusal)
{
    char classes[MUSTER_NOTE_TEXT_SIZE] = "";
    muster_plugin_info info = {.struct_size = (uint32_t)sizeof info,
                               .name = "",
                               .path = path == NULL ? "" : path,
                               .classes = classes,
                               .refusal = refusal};

    if (note != NULL) {
        join_classes(note, classes);
        info.abi_major = note->abi_major;
        info.abi_minor = note->abi_minor;
        info.name = muster__note_name(note);
    }
    fn(arg, &info);
}

static void tell_candidate(muster_plugin_list_fn fn, void *arg,
                           const muster__candidate *item)
{
    if (item->has_note &&
        muster__table_find_file(item->device, item->inode) != NULL) {
        return;
    }
    tell(fn, arg, item->has_note ? &item->note : NULL, item->path,
         item->refusal.code == MUSTER_OK ? NULL : item->refusal.message);
}

muster_status muster_plugin_list(muster_plugin_list_fn fn, void *arg)
{
    muster__catalog catalog;
    muster__plugin *plugin;
    muster_status status;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if (muster__loop_is_current()) {
        return MUSTER_WOULD_DEADLOCK;
    }
    if (fn == NULL) {
        return MUSTER_INVAL;
    }
    status = muster__catalog_read(&catalog);
    if (status != MUSTER_OK) {
        return status;
    }
    plugin = muster__table_next(NULL);
    while (plugin != NULL) {
        tell(fn, arg, &plugin->note, plugin->path, NULL);
        plugin = muster__table_next(plugin);
    }
    for (size_t i = 0; i < catalog.n; i++) {
        tell_candidate(fn, arg, &catalog.items[i]);
    }
    muster__catalog_release(&catalog);
    return MUSTER_OK;
}
