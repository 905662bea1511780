/* SPDX-License-Identifier: Apache-2.0 */
/* One plugin file: opened and checked without running a line of it, then
 * loaded. */
#include "plugin_loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_internal.h"
#include "plugin_check.h"

#define FILE_PREFIX "muster_"
#define FILE_SUFFIX ".so"
#define FILE_SYNTAX FILE_PREFIX "NAME" FILE_SUFFIX

bool muster__plugin_file_is_named(const char *file_name)
{
    size_t length = strlen(file_name);
    size_t prefix = sizeof FILE_PREFIX - 1;
    size_t suffix = sizeof FILE_SUFFIX - 1;

    return length >= prefix + suffix &&
           memcmp(file_name, FILE_PREFIX, prefix) == 0 &&
           memcmp(file_name + length - suffix, FILE_SUFFIX, suffix) == 0;
}

/* Copies the NAME of muster_NAME.so, which has room for 32 characters. */
static muster_status read_file_name(const char *file_name, const char *path,
                                    char *ret_name, muster_error *err)
{
    size_t prefix = sizeof FILE_PREFIX - 1;
    size_t suffix = sizeof FILE_SUFFIX - 1;
    size_t length = strlen(file_name);
    char name[33] = "";

    if (muster__plugin_file_is_named(file_name) &&
        length - prefix - suffix < sizeof name) {
        memcpy(name, file_name + prefix, length - prefix - suffix);
    }
    if (!muster__plugin_name_is_valid(name)) {
        return muster__plugin_refuse(
            err, MUSTER_INVAL, path,
            "wrong file name; a plugin's is " FILE_SYNTAX
            ", NAME being " MUSTER__PLUGIN_NAME_SYNTAX);
    }
    memcpy(ret_name, name, sizeof name);
    return MUSTER_OK;
}

static muster_status refuse_open(const char *path, int error, muster_error *err)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return muster__plugin_refuse(err, MUSTER_NOTFOUND, path,
                                     "no such file");
    case ELOOP:
        return muster__plugin_refuse(err, MUSTER_PERMISSION, path,
                                     "a symbolic link; a plugin is a regular "
                                     "file");
    case EACCES:
    case EPERM:
        return muster__plugin_refuse(err, MUSTER_PERMISSION, path,
                                     "may not be read by this user");
    case ENOMEM:
        return muster__plugin_refuse(err, MUSTER_NOMEM, path, "out of memory");
    default:
        return muster__plugin_refuse(err, MUSTER_UNAVAILABLE, path,
                                     "cannot be opened: %s", strerror(error));
    }
}

static muster_status check_owner(const struct stat *info, const char *what,
                                 const char *path, muster_error *err)
{
    if (info->st_uid != 0 && info->st_uid != geteuid()) {
        return muster__plugin_refuse(err, MUSTER_PERMISSION, path,
                                     "%s belongs to user %lu; it must belong "
                                     "to root or to user %lu, who runs this",
                                     what, (unsigned long)info->st_uid,
                                     (unsigned long)geteuid());
    }
    if ((info->st_mode & S_IWOTH) != 0) {
        return muster__plugin_refuse(err, MUSTER_PERMISSION, path,
                                     "%s may be written by everyone (mode "
                                     "%04o); it must not",
                                     what, (unsigned)(info->st_mode & 07777));
    }
    return MUSTER_OK;
}

/* Opens the folder of path, so that what is checked is what is opened in. */
static muster_status open_folder(const char *path, const char *file_name,
                                 int *ret_fd, muster_error *err)
{
    size_t length = (size_t)(file_name - path);
    char folder[PATH_MAX];
    struct stat info;
    muster_status status;
    int fd;

    if (length >= sizeof folder) {
        return muster__plugin_refuse(err, MUSTER_INVAL, path,
                                     "the path is longer than %d bytes",
                                     PATH_MAX);
    }
    memcpy(folder, length == 0 ? "." : path, length == 0 ? 1 : length);
    folder[length == 0 ? 1 : length] = '\0';
    fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        status = refuse_open(path, errno, err);
    } else {
        status = check_owner(&info, "its folder", path, err);
    }
    if (status != MUSTER_OK) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    *ret_fd = fd;
    return MUSTER_OK;
}

/* O_NONBLOCK: opening a FIFO must not hang. */
static muster_status open_file(const char *path, const char *file_name,
                               int *ret_fd, muster_error *err)
{
    int folder = -1;
    int fd;
    muster_status status = open_folder(path, file_name, &folder, err);

    if (status != MUSTER_OK) {
        return status;
    }
    fd = openat(folder, file_name,
                O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        status = refuse_open(path, errno, err);
    } else {
        *ret_fd = fd;
    }
    (void)close(folder);
    return status;
}

/* Checks the open file but for its content. */
static muster_status check_file(const char *path, muster__plugin_file *file,
                                muster_error *err)
{
    struct stat info;

    if (fstat(file->fd, &info) != 0) {
        return refuse_open(path, errno, err);
    }
    if (!S_ISREG(info.st_mode)) {
        return muster__plugin_refuse(
            err, MUSTER_PERMISSION, path, "%s; a plugin is a regular file",
            S_ISDIR(info.st_mode) ? "a folder" : "a special file");
    }
    file->device = info.st_dev;
    file->inode = info.st_ino;
    file->size = info.st_size;
    file->modified = info.st_mtim;
    file->changed = info.st_ctim;
    return check_owner(&info, "the file", path, err);
}

static muster_status check_note(const char *path, const char *name,
                                muster__plugin_file *file, muster_error *err)
{
    const char *own_name = muster__note_name(&file->note);
    muster_status status = muster__note_read(file->fd, path, &file->note, err);

    if (status == MUSTER_OK && strcmp(own_name, name) != 0) {
        status = muster__plugin_refuse(
            err, MUSTER_ABI, path,
            "its note names the plugin \"%s\"; the file must then be "
            "called " FILE_PREFIX "%s" FILE_SUFFIX,
            own_name, own_name);
    }
    return status;
}

muster_status muster__plugin_file_open(const char *path,
                                       muster__plugin_file *ret_file,
                                       muster_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *file_name = slash == NULL ? path : slash + 1;
    muster__plugin_file file;
    char name[33];
    muster_status status = read_file_name(file_name, path, name, err);

    if (status != MUSTER_OK) {
        return status;
    }
    memset(&file, 0, sizeof file);
    status = open_file(path, file_name, &file.fd, err);
    if (status != MUSTER_OK) {
        return status;
    }
    status = check_file(path, &file, err);
    if (status == MUSTER_OK) {
        status = check_note(path, name, &file, err);
    }
    if (status != MUSTER_OK) {
        muster__plugin_file_close(&file);
        return status;
    }
    *ret_file = file;
    return MUSTER_OK;
}

void muster__plugin_file_close(muster__plugin_file *file)
{
    if (file->fd >= 0) {
        (void)close(file->fd);
        file->fd = -1;
    }
}

static muster_status run_entry(void *handle, const muster__note *note,
                               const char *path,
                               const muster_plugin **ret_plugin,
                               muster_error *err)
{
    muster_plugin_entry_fn entry = NULL;
    void *symbol = dlsym(handle, MUSTER_PLUGIN_SYMBOL);
    const muster_plugin *plugin;
    muster__note described;
    muster_status status;

    if (symbol == NULL) {
        return muster__plugin_refuse(err, MUSTER_ABI, path,
                                     "exports no " MUSTER_PLUGIN_SYMBOL "()");
    }
    /* The way POSIX says to turn dlsym()'s answer into a function. */
    memcpy(&entry, &symbol, sizeof entry);
    plugin = entry();
    status = muster__plugin_check(plugin, path, err);
    if (status == MUSTER_OK) {
        status = muster__note_describe(plugin, path, &described, err);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    if (!muster__note_equals(&described, note)) {
        return muster__plugin_refuse(err, MUSTER_ABI, path,
                                     "its descriptor and its note differ in "
                                     "ABI, name or classes; they must be the "
                                     "same");
    }
    *ret_plugin = plugin;
    return MUSTER_OK;
}

muster_status muster__plugin_file_load(muster__plugin_file *file,
                                       const char *path,
                                       const muster_plugin **ret_plugin,
                                       muster_error *err)
{
    char fd_path[32];
    void *handle;

    /* The last line when a constructor crashes must name the plugin. */
    muster__log(MUSTER_LOG_INFO, "loading plugin %s", path);
    /* The name goes through the fd, so that the file that was checked is the
     * file that is mapped. */
    (void)snprintf(fd_path, sizeof fd_path, "/proc/self/fd/%d", file->fd);
    handle = dlopen(fd_path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *why = dlerror();

        muster__plugin_file_close(file);
        return muster__plugin_refuse(err, MUSTER_ABI, path,
                                     "cannot be loaded: %s",
                                     why == NULL ? "unknown reason" : why);
    }
    /* From here on the fd stays open: the loader knows the object by the name
     * /proc/self/fd/N and would hand it out for a later file of that number.
     * It is never unmapped: its threads and callbacks may outlive any use. */
    return run_entry(handle, &file->note, path, ret_plugin, err);
}
