/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins in this process: linked in, registered or loaded. */
#include "plugin_table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "builtins.h"
#include "log_internal.h"
#include "plugin_check.h"

static struct {
    pthread_mutex_t mutex;
    pthread_once_t builtins_once;
    muster__plugin *first; /* both guarded by mutex */
    muster__plugin *last;
} table = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_ONCE_INIT, NULL, NULL};

/* Of one that came by its entry function, for messages. */
static const char by_entry[] = "registered plugin";

static const char *origin_of(const muster__plugin *plugin)
{
    return plugin->path == NULL ? "a plugin linked in" : plugin->path;
}

/* What of note another plugin has already; *ret_other is that plugin. */
static const char *find_conflict_locked(const muster__note *note,
                                        const muster__plugin **ret_other)
{
    for (muster__plugin *at = table.first; at != NULL; at = at->next) {
        const char *conflict = muster__note_conflict(note, &at->note);

        if (conflict != NULL) {
            *ret_other = at;
            return conflict;
        }
    }
    return NULL;
}

muster_status muster__table_refuse_conflict(const char *conflict,
                                            const char *other,
                                            const char *origin,
                                            muster_error *err)
{
    return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                 "\"%.80s\" is taken by %.100s; names must "
                                 "differ and the first found wins",
                                 conflict, other);
}

static muster_status refuse_conflict(const char *conflict,
                                     const muster__plugin *other,
                                     const char *origin, muster_error *err)
{
    return muster__table_refuse_conflict(conflict, origin_of(other), origin,
                                         err);
}

static void append_locked(muster__plugin *plugin)
{
    if (table.last == NULL) {
        table.first = plugin;
    } else {
        table.last->next = plugin;
    }
    table.last = plugin;
}

static void plugin_destroy(muster__plugin *plugin)
{
    muster__plugin_scope_release(&plugin->scope);
    free(plugin->path);
    if (!plugin->is_builtin) {
        free(plugin);
    }
}

/* Takes plugin over in every case. One that is there already is fine. */
static muster_status add(muster__plugin *plugin, const char *origin,
                         muster_error *err)
{
    const muster__plugin *other = NULL;
    const char *conflict;
    muster_status status = MUSTER_OK;

    (void)pthread_mutex_lock(&table.mutex);
    conflict = find_conflict_locked(&plugin->note, &other);
    if (conflict == NULL) {
        append_locked(plugin);
    }
    (void)pthread_mutex_unlock(&table.mutex);
    if (conflict == NULL) {
        return MUSTER_OK;
    }
    if (other->descriptor != plugin->descriptor) {
        status = refuse_conflict(conflict, other, origin, err);
    }
    plugin_destroy(plugin); /* conflict is a text of its note */
    return status;
}

static void plugin_init(muster__plugin *plugin, const muster_plugin *descriptor,
                        const muster__note *note)
{
    plugin->descriptor = descriptor;
    plugin->note = *note;
    muster__plugin_scope_prepare(&plugin->scope, descriptor);
}

static muster__plugin *plugin_create(const muster_plugin *descriptor,
                                     const muster__note *note)
{
    muster__plugin *plugin = calloc(1, sizeof *plugin);

    if (plugin != NULL) {
        plugin_init(plugin, descriptor, note);
    }
    return plugin;
}

static muster_status describe(const muster_plugin *descriptor,
                              muster__note *ret_note, muster_error *err)
{
    muster_status status = muster__plugin_check(descriptor, by_entry, err);

    return status == MUSTER_OK
               ? muster__note_describe(descriptor, by_entry, ret_note, err)
               : status;
}

static muster_status register_entry(muster_plugin_entry_fn entry,
                                    muster_error *err)
{
    const muster_plugin *descriptor = entry();
    muster__plugin *plugin;
    muster__note note;
    muster_status status = describe(descriptor, &note, err);

    if (status != MUSTER_OK) {
        return status;
    }
    plugin = plugin_create(descriptor, &note);
    if (plugin == NULL) {
        return muster__plugin_refuse(err, MUSTER_NOMEM, by_entry,
                                     "out of memory");
    }
    return add(plugin, by_entry, err);
}

/* Needs no memory: one that is left out now would be so for ever. */
static muster_status add_builtin(muster_plugin_entry_fn entry,
                                 muster__plugin *plugin, muster_error *err)
{
    const muster_plugin *descriptor = entry();
    muster__note note;
    muster_status status = describe(descriptor, &note, err);

    if (status != MUSTER_OK) {
        return status;
    }
    plugin->is_builtin = true;
    plugin_init(plugin, descriptor, &note);
    return add(plugin, by_entry, err);
}

static void add_builtins(void)
{
    for (size_t i = 0; muster__builtins[i] != NULL; i++) {
        muster_error err;

        if (add_builtin(muster__builtins[i], &muster__builtin_plugins[i],
                        &err) != MUSTER_OK) {
            muster__log(MUSTER_LOG_ERROR, "built-in plugin left out: %s",
                        err.message);
        }
    }
}

/* Every public function starts with it: what is compiled in comes first. */
static void prepare(void)
{
    (void)pthread_once(&table.builtins_once, add_builtins);
}

muster_status muster__table_register(muster_plugin_entry_fn entry,
                                     muster_error *err)
{
    prepare();
    return register_entry(entry, err);
}

muster_status muster__table_add_file(const muster_plugin *descriptor,
                                     const muster__plugin_file *file,
                                     const char *path, muster_error *err)
{
    muster__plugin *plugin;

    prepare();
    plugin = plugin_create(descriptor, &file->note);
    if (plugin == NULL) {
        return muster__plugin_refuse(err, MUSTER_NOMEM, path, "out of memory");
    }
    plugin->device = file->device;
    plugin->inode = file->inode;
    plugin->path = strdup(path);
    if (plugin->path == NULL) {
        plugin_destroy(plugin);
        return muster__plugin_refuse(err, MUSTER_NOMEM, path, "out of memory");
    }
    return add(plugin, path, err);
}

muster__plugin *muster__table_next(const muster__plugin *previous)
{
    muster__plugin *next;

    prepare();
    (void)pthread_mutex_lock(&table.mutex);
    next = previous == NULL ? table.first : previous->next;
    (void)pthread_mutex_unlock(&table.mutex);
    return next;
}

muster__plugin *muster__table_find_class(const char *class_text)
{
    muster__plugin *at = muster__table_next(NULL);

    while (at != NULL && !muster__note_has_class(&at->note, class_text)) {
        at = muster__table_next(at);
    }
    return at;
}

muster__plugin *muster__table_find_file(dev_t device, ino_t inode)
{
    muster__plugin *at = muster__table_next(NULL);

    while (at != NULL &&
           (at->path == NULL || at->device != device || at->inode != inode)) {
        at = muster__table_next(at);
    }
    return at;
}

muster_status muster__table_check_conflict(const muster__note *note,
                                           const char *origin,
                                           muster_error *err)
{
    const muster__plugin *other = NULL;
    const char *conflict;

    prepare();
    (void)pthread_mutex_lock(&table.mutex);
    conflict = find_conflict_locked(note, &other);
    (void)pthread_mutex_unlock(&table.mutex);
    return conflict == NULL ? MUSTER_OK
                            : refuse_conflict(conflict, other, origin, err);
}
