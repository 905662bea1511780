/* SPDX-License-Identifier: Apache-2.0 */
/* The folders that are searched for plugins. */
#include "plugin_path.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "log_internal.h"
#include "plugin_loader.h"

#ifndef MUSTER_PLUGIN_DIR
#define MUSTER_PLUGIN_DIR "/usr/local/lib/muster"
#endif

static struct {
    pthread_mutex_t mutex;
    char *added; /* guarded by mutex; folders joined by ":", or NULL */
} search_path = {PTHREAD_MUTEX_INITIALIZER, NULL};

/* "a:b", where either may be NULL. NULL when out of memory. */
static char *join(const char *a, const char *b)
{
    size_t a_length = a == NULL ? 0 : strlen(a);
    size_t b_length = b == NULL ? 0 : strlen(b);
    char *both = malloc(a_length + b_length + 2);

    if (both != NULL) {
        memcpy(both, a == NULL ? "" : a, a_length);
        both[a_length] = ':';
        memcpy(both + a_length + 1, b == NULL ? "" : b, b_length);
        both[a_length + 1 + b_length] = '\0';
    }
    return both;
}

muster_status muster__plugin_path_add(const char *folder)
{
    muster_status status = MUSTER_NOMEM;
    char *both;

    (void)pthread_mutex_lock(&search_path.mutex);
    both = join(search_path.added, folder);
    if (both != NULL) {
        free(search_path.added);
        search_path.added = both;
        status = MUSTER_OK;
    }
    (void)pthread_mutex_unlock(&search_path.mutex);
    return status;
}

/* All folders in their order, joined by ":". NULL when out of memory. */
static char *all_folders(void)
{
    char *from_program;
    char *all = NULL;

    (void)pthread_mutex_lock(&search_path.mutex);
    from_program = join(search_path.added, secure_getenv("MUSTER_PLUGIN_PATH"));
    (void)pthread_mutex_unlock(&search_path.mutex);
    if (from_program != NULL) {
        all = join(from_program, MUSTER_PLUGIN_DIR);
    }
    free(from_program);
    return all;
}

static int is_candidate(const struct dirent *entry)
{
    return muster__plugin_file_is_named(entry->d_name);
}

/* By byte, unlike alphasort(), so that no locale changes which one wins. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static muster_status call_with_path(const char *folder, const char *file_name,
                                    muster_status (*fn)(void *, const char *),
                                    void *arg)
{
    size_t size = strlen(folder) + strlen(file_name) + 2;
    char *path = malloc(size);
    muster_status status;

    if (path == NULL) {
        return MUSTER_NOMEM;
    }
    (void)snprintf(path, size, "%s/%s", folder, file_name);
    status = fn(arg, path);
    free(path);
    return status;
}

static muster_status each_in_folder(const char *folder,
                                    muster_status (*fn)(void *, const char *),
                                    void *arg)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_candidate, compare_names);
    muster_status status = MUSTER_OK;

    if (n < 0 && errno == ENOMEM) {
        return MUSTER_NOMEM;
    }
    if (n < 0 && errno != ENOENT) {
        muster__log(MUSTER_LOG_WARNING, "plugin folder %s: %s", folder,
                    strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        if (status == MUSTER_OK) {
            status = call_with_path(folder, entries[i]->d_name, fn, arg);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

muster_status muster__plugin_path_each(muster_status (*fn)(void *arg,
                                                           const char *path),
                                       void *arg)
{
    char *folders = all_folders();
    char *rest = NULL;
    muster_status status = MUSTER_OK;

    if (folders == NULL) {
        return MUSTER_NOMEM;
    }
    for (char *folder = strtok_r(folders, ":", &rest);
         folder != NULL && status == MUSTER_OK;
         folder = strtok_r(NULL, ":", &rest)) {
        status = each_in_folder(folder, fn, arg);
    }
    free(folders);
    return status;
}
