/* SPDX-License-Identifier: Apache-2.0 */
/* Which plugin serves which scheme and policy: looked up, and loaded when
 * needed. */
#include "registry.h"

#include <pthread.h>
#include <string.h>

#include "fork.h"
#include "log_internal.h"
#include "loop.h"
#include "name_lookup.h"
#include "plugin_catalog.h"
#include "plugin_check.h"
#include "plugin_loader.h"
#include "plugin_path.h"
#include "plugin_refused.h"
#include "plugin_table.h"
#include "text.h"

#define CLASS_TEXT_SIZE 80

/* One thread at a time loads. No lock is held meanwhile: constructors run. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool is_taken; /* both guarded by mutex */
    pthread_t thread;
} turn = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};

/* Waits until no other thread loads. False when this thread does: a constructor
 * of the plugin being loaded calls us, and must not wait for itself. */
static bool take_turn(void)
{
    bool is_ours = true;

    (void)pthread_mutex_lock(&turn.mutex);
    while (turn.is_taken && is_ours) {
        is_ours = pthread_equal(turn.thread, pthread_self()) == 0;
        if (is_ours) {
            (void)pthread_cond_wait(&turn.ended, &turn.mutex);
        }
    }
    if (is_ours) {
        turn.is_taken = true;
        turn.thread = pthread_self();
    }
    (void)pthread_mutex_unlock(&turn.mutex);
    return is_ours;
}

static void end_turn(void)
{
    (void)pthread_mutex_lock(&turn.mutex);
    turn.is_taken = false;
    (void)pthread_cond_broadcast(&turn.ended);
    (void)pthread_mutex_unlock(&turn.mutex);
}

/* Takes file over. What was mapped stays, so a refusal of that is remembered;
 * one for want of memory may be none the next time. */
static muster_status load_file(muster__plugin_file *file, const char *path,
                               muster_error *err)
{
    const muster_plugin *descriptor = NULL;
    muster_error refusal = {.code = MUSTER_OK};
    muster_status status =
        muster__plugin_file_load(file, path, &descriptor, &refusal);

    if (status == MUSTER_OK) {
        status = muster__table_add_file(descriptor, file, path, &refusal);
    }
    if (status == MUSTER_OK) {
        return status;
    }
    if (status != MUSTER_NOMEM && file->fd >= 0) {
        muster__refused_add(file, &refusal);
    }
    return muster_error_set(err, status, "%s", refusal.message);
}

/* Thread: the one whose turn it is. A file that is loaded already is fine. */
static muster_status load_path(const char *path, muster_error *err)
{
    muster__plugin_file file;
    muster_status status = muster__plugin_file_open(path, &file, err);

    if (status != MUSTER_OK) {
        return status;
    }
    if (muster__table_find_file(file.device, file.inode) != NULL) {
        muster__plugin_file_close(&file);
        return MUSTER_OK;
    }
    status = muster__refused_find(&file, err);
    if (status == MUSTER_OK) {
        status = muster__table_check_conflict(&file.note, path, err);
    }
    if (status != MUSTER_OK) {
        muster__plugin_file_close(&file);
        return status;
    }
    return load_file(&file, path, err);
}

static muster_status refuse_forked(muster_error *err)
{
    return muster_error_set(err, MUSTER_FORKED, "%s",
                            muster_status_text(MUSTER_FORKED));
}

/* "dns" is what muster_dns.so most likely was to serve. */
static bool is_file_of(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    char file_name[128];

    (void)snprintf(file_name, sizeof file_name, "muster_%s.so", name);
    return strcmp(slash == NULL ? path : slash + 1, file_name) == 0;
}

/* Loads the first candidate that serves class_text. Without one, err says which
 * candidate would have been it and was refused. MUSTER_NOTFOUND: none at all.
 */
static muster_status load_class(const muster__catalog *catalog,
                                const char *class_text, muster_error *err)
{
    const char *name = strchr(class_text, ':') + 1;
    muster_error refusal = {.code = MUSTER_NOTFOUND, .message = ""};

    for (size_t i = 0; i < catalog->n; i++) {
        const muster__candidate *item = &catalog->items[i];
        bool serves =
            item->has_note && muster__note_has_class(&item->note, class_text);

        if (item->refusal.code != MUSTER_OK) {
            if (serves || is_file_of(item->path, name)) {
                refusal = item->refusal;
            }
        } else if (serves) {
            if (load_path(item->path, &refusal) == MUSTER_OK) {
                return MUSTER_OK;
            }
            muster__log(MUSTER_LOG_WARNING, "plugin refused: %s",
                        refusal.message);
        }
    }
    if (refusal.code == MUSTER_NOTFOUND) {
        return MUSTER_NOTFOUND;
    }
    return muster_error_set(err, refusal.code, "%s", refusal.message);
}

/* Reads the search path and loads. MUSTER_NOTFOUND leaves err alone. */
static muster_status autoload(const char *class_text, muster_error *err)
{
    muster__catalog catalog;
    muster_status status;

    if (!take_turn()) {
        return MUSTER_NOTFOUND;
    }
    status = muster__catalog_read(&catalog);
    if (status == MUSTER_OK) {
        status = load_class(&catalog, class_text, err);
        muster__catalog_release(&catalog);
    } else {
        (void)muster_error_set(err, status,
                               "out of memory reading the plugin "
                               "folders");
    }
    end_turn();
    return status;
}

/* On the control thread a constructor that hangs must be noticed, and so must
 * one on another thread that waits for the control thread, while that waits for
 * its turn to load. */
static muster_status autoload_watched(const char *class_text, muster_error *err)
{
    muster_status status;

    muster__loop_enter_plugin(strchr(class_text, ':') + 1, "loading");
    status = autoload(class_text, err);
    muster__loop_leave_plugin();
    return status;
}

/* The plugin that serves class_text, loaded when needed. MUSTER_NOTFOUND leaves
 * err alone. */
static muster_status look_up(const char *class_text,
                             muster__plugin **ret_plugin, muster_error *err)
{
    muster__plugin *plugin;
    muster_status status = MUSTER_OK;

    if (muster__is_forked()) {
        return refuse_forked(err);
    }
    plugin = muster__table_find_class(class_text);
    if (plugin == NULL) {
        status = autoload_watched(class_text, err);
        plugin = muster__table_find_class(class_text);
    }
    if (plugin == NULL) {
        return status == MUSTER_OK ? MUSTER_NOTFOUND : status;
    }
    *ret_plugin = plugin;
    return MUSTER_OK;
}

muster_status muster__registry_resolver(const char *scheme,
                                        const muster_resolver_class **ret_class,
                                        muster__plugin **ret_plugin,
                                        muster_error *err)
{
    char class_text[CLASS_TEXT_SIZE] = "";
    char known[384];
    muster__plugin *plugin = NULL;
    muster_status status = MUSTER_NOTFOUND;

    if (muster__scheme_is_valid(scheme)) {
        (void)snprintf(class_text, sizeof class_text,
                       MUSTER__RESOLVER_PREFIX "%s", scheme);
        status = look_up(class_text, &plugin, err);
    }
    if (status == MUSTER_NOTFOUND) {
        muster__registry_list_schemes(known, sizeof known);
        return muster_error_set(err, status,
                                "no resolver serves the scheme \"%.80s\"; "
                                "there are: %s",
                                scheme, known);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    for (uint32_t i = 0; i < plugin->descriptor->n_resolvers; i++) {
        if (strcmp(plugin->descriptor->resolvers[i]->scheme, scheme) == 0) {
            *ret_class = plugin->descriptor->resolvers[i];
        }
    }
    *ret_plugin = plugin;
    return MUSTER_OK;
}

muster_status muster__registry_balancer(const char *name,
                                        const muster_balancer_class **ret_class,
                                        muster__plugin **ret_plugin,
                                        muster_error *err)
{
    char class_text[CLASS_TEXT_SIZE] = "";
    char known[384];
    muster__plugin *plugin = NULL;
    muster_status status = MUSTER_NOTFOUND;

    if (muster__policy_is_valid(name)) {
        (void)snprintf(class_text, sizeof class_text,
                       MUSTER__BALANCER_PREFIX "%s", name);
        status = look_up(class_text, &plugin, err);
    }
    if (status == MUSTER_NOTFOUND) {
        muster__registry_list_policies(known, sizeof known);
        return muster_error_set(err, status,
                                "no balancer is called %s; there are: %s",
                                muster__quote(name).text, known);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    for (uint32_t i = 0; i < plugin->descriptor->n_balancers; i++) {
        if (strcmp(plugin->descriptor->balancers[i]->name, name) == 0) {
            *ret_class = plugin->descriptor->balancers[i];
        }
    }
    *ret_plugin = plugin;
    return MUSTER_OK;
}

const char *muster__plugin_name(const muster__plugin *plugin)
{
    return plugin->descriptor->name;
}

muster_status muster__plugin_use(muster__plugin *plugin, void **ret_shared,
                                 muster_error *err)
{
    return muster__plugin_scope_use(&plugin->scope, ret_shared, err);
}

void muster__plugin_unuse(muster__plugin *plugin)
{
    muster__plugin_scope_unuse(&plugin->scope);
}

void muster__plugin_leak(muster__plugin *plugin)
{
    muster__plugin_scope_leak(&plugin->scope);
}

void muster__registry_fini(void)
{
    muster__plugin *plugin = muster__table_next(NULL);

    /* A name lookup is no user of the loop, which would keep a program from
     * ending muster for 30 s; but the resolver that serves it must have stopped
     * before the fini of its plugin. */
    while (plugin != NULL) {
        muster__plugin_scope_end_lookups(&plugin->scope);
        plugin = muster__table_next(plugin);
    }
    muster__loop_run_while(muster__name_lookup_is_any);
    plugin = muster__table_next(NULL);
    while (plugin != NULL) {
        muster__plugin_scope_end(&plugin->scope);
        plugin = muster__table_next(plugin);
    }
}

/* ---- for programs ---- */

muster_status muster_plugin_register(muster_plugin_entry_fn entry,
                                     muster_error *err)
{
    if (muster__is_forked()) {
        return refuse_forked(err);
    }
    if (entry == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "muster_plugin_register: entry is NULL");
    }
    return muster__table_register(entry, err);
}

muster_status muster_plugin_load(const char *path, muster_error *err)
{
    muster_status status;

    if (muster__is_forked()) {
        return refuse_forked(err);
    }
    if (muster__loop_is_current()) {
        return muster_error_set(err, MUSTER_WOULD_DEADLOCK,
                                "muster_plugin_load: reads files, which the "
                                "control thread must not wait for");
    }
    if (path == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "muster_plugin_load: path is NULL");
    }
    if (!take_turn()) {
        return muster_error_set(err, MUSTER_WOULD_DEADLOCK,
                                "muster_plugin_load: called by a plugin that "
                                "is being loaded");
    }
    status = load_path(path, err);
    end_turn();
    return status;
}

muster_status muster_plugin_path_add(const char *path)
{
    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if (path == NULL || *path == '\0' || strchr(path, ':') != NULL) {
        return MUSTER_INVAL;
    }
    return muster__plugin_path_add(path);
}

muster_status
muster_plugin_find_balancer(const char *name,
                            const muster_balancer_class **ret_class,
                            muster_error *err)
{
    muster__plugin *plugin = NULL;

    if (muster__loop_is_current()) {
        return muster_error_set(err, MUSTER_WOULD_DEADLOCK,
                                "muster_plugin_find_balancer: reads files, "
                                "which the control thread must not wait for");
    }
    if (name == NULL || ret_class == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "muster_plugin_find_balancer: NULL");
    }
    return muster__registry_balancer(name, ret_class, &plugin, err);
}
