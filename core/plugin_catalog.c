/* SPDX-License-Identifier: Apache-2.0 */
/* What the search path holds, as the files' notes tell. */
#include "plugin_catalog.h"

#include <stdlib.h>
#include <string.h>

#include "plugin_check.h"
#include "plugin_loader.h"
#include "plugin_path.h"
#include "plugin_table.h"

/* The same file found twice (a folder named twice) is one candidate. */
static bool is_known(const muster__catalog *catalog,
                     const muster__plugin_file *file)
{
    for (size_t i = 0; i < catalog->n; i++) {
        const muster__candidate *item = &catalog->items[i];

        if (item->has_note && item->device == file->device &&
            item->inode == file->inode) {
            return true;
        }
    }
    return false;
}

/* What is in the process wins over files, an earlier file over a later one. */
static void refuse_when_duplicate(const muster__catalog *catalog,
                                  muster__candidate *candidate)
{
    if (muster__table_find_file(candidate->device, candidate->inode) != NULL ||
        muster__table_check_conflict(&candidate->note, candidate->path,
                                     &candidate->refusal) != MUSTER_OK) {
        return;
    }
    for (size_t i = 0; i < catalog->n; i++) {
        const muster__candidate *item = &catalog->items[i];
        const char *conflict = NULL;

        if (item->refusal.code == MUSTER_OK) {
            conflict = muster__note_conflict(&item->note, &candidate->note);
        }
        if (conflict != NULL) {
            (void)muster__table_refuse_conflict(
                conflict, item->path, candidate->path, &candidate->refusal);
            return;
        }
    }
}

static muster_status append(muster__catalog *catalog,
                            muster__candidate *candidate, const char *path)
{
    if (catalog->n == catalog->capacity) {
        size_t capacity = catalog->capacity * 2 + 8;
        muster__candidate *items =
            realloc(catalog->items, capacity * sizeof *items);

        if (items == NULL) {
            return MUSTER_NOMEM;
        }
        catalog->items = items;
        catalog->capacity = capacity;
    }
    candidate->path = strdup(path);
    if (candidate->path == NULL) {
        return MUSTER_NOMEM;
    }
    if (candidate->refusal.code == MUSTER_OK) {
        refuse_when_duplicate(catalog, candidate);
    }
    catalog->items[catalog->n++] = *candidate;
    return MUSTER_OK;
}

static muster_status add_file(void *arg, const char *path)
{
    muster__catalog *catalog = arg;
    muster__candidate candidate;
    muster__plugin_file file;
    muster_status status;

    memset(&candidate, 0, sizeof candidate);
    status = muster__plugin_file_open(path, &file, &candidate.refusal);
    if (status == MUSTER_NOMEM || status == MUSTER_NOTFOUND) {
        /* Not found: it went between the listing and the opening. */
        return status == MUSTER_NOMEM ? status : MUSTER_OK;
    }
    if (status == MUSTER_OK) {
        candidate.has_note = true;
        candidate.note = file.note;
        candidate.device = file.device;
        candidate.inode = file.inode;
        muster__plugin_file_close(&file);
        if (is_known(catalog, &file)) {
            return MUSTER_OK;
        }
    }
    return append(catalog, &candidate, path);
}

muster_status muster__catalog_read(muster__catalog *ret_catalog)
{
    muster__catalog catalog = {NULL, 0, 0};
    muster_status status = muster__plugin_path_each(add_file, &catalog);

    if (status != MUSTER_OK) {
        muster__catalog_release(&catalog);
        return status;
    }
    *ret_catalog = catalog;
    return MUSTER_OK;
}

void muster__catalog_release(muster__catalog *catalog)
{
    for (size_t i = 0; i < catalog->n; i++) {
        free(catalog->items[i].path);
    }
    free(catalog->items);
    *catalog = (muster__catalog){NULL, 0, 0};
}
