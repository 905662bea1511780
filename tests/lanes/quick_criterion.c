/* SPDX-License-Identifier: Apache-2.0 */
/* In each Criterion test: Criterion initialises libgit2 in every process, one a
 * test, only to print how two texts differ, and libgit2 reads all certificates
 * of the machine then: most of the time of a short test. Here it does so when a
 * difference is printed. Instead of libgit2's own:
 * https://libgit2.org/libgit2/#v1.5.1/group/diff/git_diff_buffers */
#include <dlfcn.h>
#include <stddef.h>

typedef struct git_diff_options git_diff_options;
typedef int (*diff_callback)(void); /* never called here */
typedef int (*init_function)(void);
typedef int (*diff_function)(const void *, size_t, const char *, const void *,
                             size_t, const char *, const git_diff_options *,
                             diff_callback, diff_callback, diff_callback,
                             diff_callback, void *);

__attribute__((visibility("default"))) int git_libgit2_init(void);
__attribute__((visibility("default"))) int git_libgit2_shutdown(void);
__attribute__((visibility("default"))) int
git_diff_buffers(const void *old_buffer, size_t old_len, const char *old_path,
                 const void *new_buffer, size_t new_len, const char *new_path,
                 const git_diff_options *options, diff_callback on_file,
                 diff_callback on_binary, diff_callback on_hunk,
                 diff_callback on_line, void *payload);

int git_libgit2_init(void)
{
    return 1;
}

int git_libgit2_shutdown(void)
{
    return 0;
}

int git_diff_buffers(const void *old_buffer, size_t old_len,
                     const char *old_path, const void *new_buffer,
                     size_t new_len, const char *new_path,
                     const git_diff_options *options, diff_callback on_file,
                     diff_callback on_binary, diff_callback on_hunk,
                     diff_callback on_line, void *payload)
{
    init_function init;
    diff_function diff;

    *(void **)&init = dlsym(RTLD_NEXT, "git_libgit2_init");
    *(void **)&diff = dlsym(RTLD_NEXT, "git_diff_buffers");
    if (init == NULL || diff == NULL || init() < 0) {
        return -1;
    }
    return diff(old_buffer, old_len, old_path, new_buffer, new_len, new_path,
                options, on_file, on_binary, on_hunk, on_line, payload);
}
