/* SPDX-License-Identifier: Apache-2.0 */
/* Calls the server whose address is its argument on four threads; when some
 * calls were answered it forks, and the child and it exit without a word to
 * muster. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/grpc.h>
#include <muster/muster.h>

static muster_channel *channel;
static atomic_int n_answered;

static void fork_and_exit(void)
{
    const pid_t child = fork();
    int status = 0;

    if (child != 0 && (waitpid(child, &status, 0) != child || status != 0)) {
        (void)fprintf(stderr, "the child ended with %d\n", status);
    }
    exit(0);
}

static void *keep_calling(void *unused)
{
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = MUSTER_CALL_WAIT_FOR_READY};

    (void)unused;
    for (;;) {
        muster_call *call = NULL;

        if (muster_call_create(channel, "/echo.Echo/Unary", &options, &call,
                               NULL) != MUSTER_OK ||
            muster_call_unary(call, NULL) != MUSTER_OK) {
            abort();
        }
        muster_call_destroy(call);
        if (atomic_fetch_add(&n_answered, 1) == 50) {
            fork_and_exit();
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    char target[256];
    pthread_t threads[4];

    (void)argc;
    (void)snprintf(target, sizeof target, "static:///%s", argv[1]);
    if (muster_grpc_channel_create(target, NULL, NULL, &channel, NULL) !=
        MUSTER_OK) {
        return 1;
    }
    for (int i = 0; i < 4; i++) {
        if (pthread_create(&threads[i], NULL, keep_calling, NULL) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return 1;
}
