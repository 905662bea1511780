/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while the list of a channel is read from a file
 * or from its target, each in a run of its own: nothing crashes, hangs or
 * leaks, and when memory is back the channel serves the newest list, though
 * nobody touches the file.
 *   lists_oom file|static [FIRST [LAST]] */
#include <muster/muster.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "passes.h"
#include "timing.h"

enum { LOOKS = 500, HANG_S = 20, PATH_SIZE = 256 };

static const char one[] = "10.0.0.1:1\n";
static const char two[] = "10.0.0.1:1\n10.0.0.2:1\n";

static const char *const from_target = "static:///10.0.0.1:1,10.0.0.2:1";

static char folder[PATH_SIZE / 2];
static char path[PATH_SIZE];
static char target[PATH_SIZE * 2];

/* ---- the file ---- */

/* By a rename, and without memory. */
static void write_list(const char *text)
{
    char draft[PATH_SIZE];
    int fd;

    (void)snprintf(draft, sizeof draft, "%s/draft", folder);
    fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd) != 0 ||
        rename(draft, path) != 0) {
        passes_die("the file cannot be written");
    }
}

static void make_folder(void)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(folder, sizeof folder, "%s/muster-oom-XXXXXX",
                   base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) {
        passes_die("no folder");
    }
    (void)snprintf(path, sizeof path, "%s/list", folder);
    (void)snprintf(target, sizeof target, "file://%s?interval=100ms", path);
}

static void remove_folder(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

/* ---- the runs ---- */

static uint64_t count_ready(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    (void)muster_channel_get_stats(channel, &stats);
    return stats.ready;
}

/* Until the list is there, or for a while: it may have been lost. */
static void watch_for(muster_channel *channel, uint64_t n)
{
    for (int i = 0; i < LOOKS && count_ready(channel) != n; i++) {
    }
}

static void await(muster_channel *channel, uint64_t n)
{
    const time_t begin = time(NULL);

    while (count_ready(channel) != n) {
        if (time(NULL) > begin + HANG_S) {
            passes_die("the list did not come after memory came back");
        }
    }
}

/* Whether the countdown-th allocation was reached. */
static bool run(void *arg, const passes_failure *failure)
{
    const char *uri = arg;
    const bool is_file = uri == target;
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 1,
                                            .max_backoff_ms = 2,
                                            .resolver_initial_backoff_ms = 1,
                                            .resolver_max_backoff_ms = 2};
    muster_channel *channel = NULL;
    muster_status status;
    bool has_failed;

    (void)alarm(HANG_S * 2);
    write_list(one);
    failing_malloc_arm(failure->countdown, failure->n);
    status = muster_channel_create(uri, &options, &channel, NULL);
    if (status == MUSTER_OK) {
        watch_for(channel, is_file ? 1 : 2);
        write_list(two);
        watch_for(channel, 2);
    } else if (status != MUSTER_NOMEM) {
        passes_die(muster_status_name(status));
    }
    has_failed = failing_malloc_disarm();
    if (status == MUSTER_OK) {
        await(channel, 2);
    }
    muster_channel_destroy(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    const bool is_file = argc > 1 && strcmp(argv[1], "file") == 0;
    int code;

    if (!is_file && (argc < 2 || strcmp(argv[1], "static") != 0)) {
        passes_die("lists_oom file|static [FIRST [LAST]]");
    }
    muster__timing_scale_waits_for_test(100);
    make_folder();
    code = passes_run(argc - 1, argv + 1, run,
                      is_file ? target : (char *)from_target);
    remove_folder();
    return code;
}
