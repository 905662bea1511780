/* SPDX-License-Identifier: Apache-2.0 */
/* Work beside the control thread. */
#include "loop.h"

#include <stdlib.h>

#include "loop_uv.h"

typedef struct loop_work {
    uv_work_t uv; /* first: the request is the work */
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
} loop_work;

static size_t n_works; /* control thread only */

size_t muster__loop_n_works(void)
{
    return n_works;
}

static void on_work(uv_work_t *request)
{
    loop_work *work = (loop_work *)request;

    work->work(work->arg);
}

static void on_done(uv_work_t *request, int error)
{
    loop_work *work = (loop_work *)request;
    void (*done)(void *arg) = work->done;
    void *arg = work->arg;

    (void)error; /* only uv_cancel() makes one */
    free(work);
    n_works--;
    done(arg);
}

muster_status muster__loop_work(void (*work)(void *arg),
                                void (*done)(void *arg), void *arg)
{
    loop_work *request = (loop_work *)calloc(1, sizeof *request);

    if (request == NULL) {
        return MUSTER_NOMEM;
    }
    request->work = work;
    request->done = done;
    request->arg = arg;
    if (uv_queue_work(muster__loop_uv(), &request->uv, on_work, on_done) != 0) {
        free(request);
        return MUSTER_NOMEM;
    }
    n_works++;
    return MUSTER_OK;
}
