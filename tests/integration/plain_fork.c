/* SPDX-License-Identifier: Apache-2.0 */
/* A process forks while 50 streams are open and calls run. The child may call
 * anything, and exits within a second; the parent loses nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "cluster.h"
#include "limit.h"
#include "load.h"
#include "scale.h"
#include "stream.h"

enum { N_STREAMS = 50, N_CALLERS = 8, CHILD_MS = 1000 };

static void on_event(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)event;
}

static void on_state(void *arg, const muster_state_event *event)
{
    (void)arg;
    (void)event;
}

static void world_init(child_world *world, muster_channel *channel)
{
    *world = (child_world){.channel = channel};
    if (muster_channel_pick_wait(channel, NULL, &world->lease, NULL) !=
            MUSTER_OK ||
        muster_call_create(channel, "/echo.Echo/Unary", NULL, &world->call,
                           NULL) != MUSTER_OK ||
        muster_call_queue_create(&world->queue, NULL) != MUSTER_OK ||
        muster_watch_create("static:///127.0.0.1:1", on_event, NULL,
                            &world->watch, NULL) != MUSTER_OK ||
        muster_channel_watch_state(channel, NULL, on_state, NULL,
                                   &world->state_watcher) != MUSTER_OK) {
        cluster_die("cannot prepare what the child will call with");
    }
}

static void world_fini(child_world *world)
{
    muster_state_watcher_destroy(world->state_watcher);
    muster_watch_destroy(world->watch);
    muster_call_queue_destroy(world->queue);
    muster_call_destroy(world->call);
    muster_lease_finish(&world->lease, NULL);
}

/* True when the child called all and was gone in time. */
static bool fork_once(child_world *world, uint64_t *slowest_ns)
{
    const uint64_t begun_ns = now_ns();
    const pid_t pid = fork();
    uint64_t taken_ns;
    int status = -1;

    if (pid == 0) {
        exit(child_call_all(world) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    (void)waitpid(pid, &status, 0);
    taken_ns = now_ns() - begun_ns;
    *slowest_ns = taken_ns > *slowest_ns ? taken_ns : *slowest_ns;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
        (void)fprintf(stderr, "the child's wait status: 0x%x\n",
                      (unsigned)status);
        return false;
    }
    return taken_ns < limit_ns(CHILD_MS);
}

/* True when all children behaved. */
static bool fork_under_load(cluster *c, load *calls)
{
    const size_t n_forks = scale(10, 200);
    child_world world;
    uint64_t slowest_ns = 0;
    size_t n_good = 0;

    world_init(&world, c->channel);
    for (size_t i = 0; i < n_forks; i++) {
        n_good += fork_once(&world, &slowest_ns);
        if (!load_await(calls, load_ended(calls) + 100)) {
            cluster_die("the parent's calls stand still");
        }
    }
    world_fini(&world);
    (void)printf("%zu of %zu children were well, the slowest took %.1f ms\n",
                 n_good, n_forks, (double)slowest_ns / 1e6);
    return n_good == n_forks;
}

/* True when every stream still echoes, and ends well. */
static bool finish_streams(stream **streams)
{
    int n_good = 0;

    for (int i = 0; i < N_STREAMS; i++) {
        const bool has_echoed = stream_echo(streams[i]);

        n_good += stream_finish(streams[i]) == GRPC_STATUS_OK && has_echoed;
    }
    (void)printf("%d of %d streams went on\n", n_good, N_STREAMS);
    return n_good == N_STREAMS;
}

int main(void)
{
    static const char *const maps[] = {
        MUSTER_TEST_SOURCE_DIR "/../core/cmake/libmuster.map",
        MUSTER_TEST_SOURCE_DIR "/../core/cmake/libmuster-grpc.map"};
    stream *streams[N_STREAMS];
    bool is_good =
        child_count_missing(maps[0]) + child_count_missing(maps[1]) == 0;
    uint64_t n_failed;
    cluster c;
    load *calls;

    cluster_init(&c, "fork", 4, NULL, NULL);
    cluster_list_ready(&c, 15);
    for (int i = 0; i < N_STREAMS; i++) {
        streams[i] = stream_open(c.channel);
        is_good = stream_echo(streams[i]) && is_good;
    }
    calls = load_start_blocking(c.channel, N_CALLERS);
    is_good = fork_under_load(&c, calls) && is_good;
    is_good = finish_streams(streams) && is_good;
    load_stop(calls);
    n_failed = load_failed(calls);
    (void)printf("%lu calls, %lu failed\n", load_ended(calls), n_failed);
    load_destroy(calls);
    cluster_fini(&c);
    return is_good && n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
