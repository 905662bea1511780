/* SPDX-License-Identifier: Apache-2.0 */
/* muster-demo [SECONDS [CALLS]]: five real gRPC servers, a list in a file that
 * changes all the time, 64 calls and 50 streams in flight; then one server is
 * killed. Exits 0 when no call failed but on the killed one, and at least CALLS
 * ran. */
#include "demo.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <muster/muster.h>

enum { CHANGE_EVERY_MS = 200, AFTER_KILL_S = 2, FEWEST_CALLS = 10000 };

static bool start_backends(demo_world *demo)
{
    for (int i = 0; i < DEMO_BACKENDS; i++) {
        if (!backend_start(&demo->backends[i].process, NULL)) {
            (void)fprintf(stderr, "a server did not start\n");
            return false;
        }
        (void)printf("server %d listens on %s (pid %d)\n", i,
                     demo->backends[i].process.address,
                     (int)demo->backends[i].process.pid);
    }
    return true;
}

static bool change(demo_world *demo, unsigned step)
{
    if (!demo_change(demo, step)) {
        (void)fprintf(stderr, "muster-demo: cannot write %s\n", demo->file);
        return false;
    }
    return true;
}

static bool open_channel(demo_world *demo)
{
    char target[128];
    muster_error err;
    muster_lease lease = {0};
    const char *folder = getenv("TMPDIR");

    (void)snprintf(demo->folder, sizeof demo->folder, "%s/muster-demo-XXXXXX",
                   folder == NULL ? "/tmp" : folder);
    if (mkdtemp(demo->folder) == NULL) {
        perror("muster-demo");
        return false;
    }
    (void)snprintf(demo->file, sizeof demo->file, "%s/list", demo->folder);
    (void)snprintf(target, sizeof target, "file://%s", demo->file);
    if (!change(demo, 0)) {
        return false;
    }
    if (muster_grpc_channel_create(target, NULL, NULL, &demo->channel, &err) !=
            MUSTER_OK ||
        muster_channel_pick_wait(demo->channel, NULL, &lease, &err) !=
            MUSTER_OK) {
        (void)fprintf(stderr, "muster-demo: %s\n", err.message);
        return false;
    }
    muster_lease_finish(&lease, NULL);
    (void)printf("channel on %s\n\n", target);
    return true;
}

static void run_second(demo_world *demo, unsigned second, unsigned *step)
{
    for (int ms = 0; ms < 1000; ms += CHANGE_EVERY_MS) {
        (void)poll(NULL, 0, CHANGE_EVERY_MS);
        if (step != NULL) {
            (void)change(demo, ++*step);
        }
    }
    demo_print_second(demo, second);
}

static void run(demo_world *demo, unsigned seconds)
{
    pthread_t threads[2];
    unsigned step = 0;
    unsigned second = 1;

    pthread_create(&threads[0], NULL, demo_unary_thread, demo);
    pthread_create(&threads[1], NULL, demo_stream_thread, demo);
    for (; second <= seconds; second++) {
        run_second(demo, second, &step);
    }
    (void)demo_write_list(demo, 0x1f, NULL, false);
    run_second(demo, second++, NULL);
    (void)printf("\nkilling %s\n", demo->backends[1].process.address);
    atomic_store(&demo->backends[1].is_killed, true);
    backend_kill(&demo->backends[1].process);
    for (int i = 0; i < AFTER_KILL_S; i++) {
        run_second(demo, second++, NULL);
    }
    atomic_store(&demo->is_ending, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static void clean_up(demo_world *demo)
{
    muster_channel_destroy(demo->channel);
    for (int i = 0; i < DEMO_BACKENDS; i++) {
        if (demo->backends[i].process.pid != 0) {
            backend_stop(&demo->backends[i].process);
        }
    }
    (void)unlink(demo->file);
    (void)rmdir(demo->folder);
}

int main(int argc, char **argv)
{
    static demo_world demo;
    unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20;
    unsigned long fewest = argc > 2 ? strtoul(argv[2], NULL, 10) : FEWEST_CALLS;
    bool is_good = start_backends(&demo) && open_channel(&demo);

    muster_log_set(muster_log_to_stderr, NULL, MUSTER_LOG_WARNING);
    if (is_good) {
        run(&demo, seconds);
        demo_print_summary(&demo);
        is_good = atomic_load(&demo.n_failed_outside) == 0 &&
                  atomic_load(&demo.n_calls) >= fewest;
    }
    clean_up(&demo);
    return is_good ? 0 : 1;
}
