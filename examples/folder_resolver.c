/* SPDX-License-Identifier: Apache-2.0 */
/* folder:///run/web: the files in the folder are named after the addresses. */
#include <dirent.h>
#include <errno.h>
#include <muster/plugin.h>
#include <stdlib.h>
#include <string.h>

static int is_visible(const struct dirent *file)
{
    return file->d_name[0] != '.';
}

/* Once a second. What has not changed costs nothing: the core compares. */
static void look(void *self)
{
    const muster_resolver_env *env = self;
    struct dirent **files = NULL;
    int n = scandir(env->path, &files, is_visible, alphasort);
    muster_endpoint *list = n < 0 ? NULL : calloc((size_t)n + 1, sizeof *list);

    for (int i = 0; list != NULL && i < n; i++) {
        list[i].address = files[i]->d_name;
    }
    if (list == NULL || muster_report(env, list, (size_t)n) != MUSTER_OK) {
        /* The last good list stays in use. */
        muster_fail(env, MUSTER_UNAVAILABLE, strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        free(files[i]);
    }
    free(files);
    free(list);
    (void)muster_call_later(env, 1000, look, self);
}

static muster_status create(const muster_resolver_env *env, void **ret_self,
                            muster_error *err)
{
    muster_resolver_env *self = malloc(sizeof *self);

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    *self = *env; /* what it points to stays valid as long as we do */
    *ret_self = self;
    return MUSTER_OK;
}

static const muster_resolver_class folder = {
    .struct_size = sizeof folder,
    .flags = MUSTER_RESOLVER_ABSOLUTE_PATH | MUSTER_RESOLVER_MAY_BLOCK,
    .scheme = "folder",
    .create = create,
    .start = look,
    .free = free,
};
static const muster_resolver_class *const resolvers[] = {&folder};
MUSTER_PLUGIN(folder, "folder\0resolver:folder\0", .version = "1.0",
              .resolvers = resolvers, .n_resolvers = 1);
