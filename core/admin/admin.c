/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket's life. */
#include "admin.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <fork.h>
#include <log_internal.h>
#include <loop.h>
#include <request.h>

#include "server.h"
#include "socket_file.h"
#include "socket_path.h"

/* Written by the thread that starts the control thread; then that one's. What
 * does not fit is no address either. */
static char asked[256];

/* The control thread's. Relaxed: for who asks while it begins or ends, either
 * is true. */
static _Atomic bool is_open;

typedef struct admin_request {
    muster__request request; /* first */
    muster__socket_path path;
    muster_status status;
    muster_error err;
} admin_request;

/* For closing, which cannot fail. Whoever takes it out owns it. */
static admin_request *_Atomic spare;

static void request_free(muster__request *base)
{
    if (base != NULL) {
        muster__request_fini(base);
        free(base);
    }
}

static admin_request *request_new(void (*fn)(muster__request *request))
{
    admin_request *request = calloc(1, sizeof *request);

    if (request != NULL && muster__request_init(&request->request, fn,
                                                request_free) != MUSTER_OK) {
        free(request);
        return NULL;
    }
    return request;
}

/* ---- Thread: control ---- */

static void close_on_control(muster__request *base)
{
    (void)base;
    muster__admin_end();
}

static muster_status start(const muster__socket_path *path, muster_error *err)
{
    muster_status status;
    int fd = -1;

    status = muster__socket_file_create(path, &fd, err);
    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__admin_server_start(fd);
    if (status != MUSTER_OK) {
        muster__socket_file_remove();
        muster__fork_private_close(fd);
        return muster_error_set(err, status, "admin socket %s: %s", path->text,
                                muster_status_text(status));
    }
    return MUSTER_OK;
}

static muster_status open_at(const muster__socket_path *path, muster_error *err)
{
    admin_request *closing;
    muster_status status;

    if (atomic_load_explicit(&is_open, memory_order_relaxed)) {
        return muster_error_set(err, MUSTER_BUSY,
                                "admin socket %s: this process has one already",
                                path->text);
    }
    closing = request_new(close_on_control);
    if (closing == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "admin socket %s: out of memory", path->text);
    }
    status = start(path, err);
    if (status != MUSTER_OK) {
        request_free(&closing->request);
        return status;
    }
    atomic_store(&spare, closing);
    atomic_store_explicit(&is_open, true, memory_order_relaxed);
    muster__log(MUSTER_LOG_INFO, "admin socket %s: listening", path->text);
    return MUSTER_OK;
}

void muster__admin_begin(void)
{
    muster__socket_path path;
    muster_error err;
    muster_status status;

    if (asked[0] == '\0') {
        return;
    }
    status = muster__socket_path_read(asked, &path, &err);
    if (status == MUSTER_OK) {
        status = open_at(&path, &err);
    }
    if (status != MUSTER_OK) {
        muster__log(MUSTER_LOG_WARNING, "MUSTER_ADMIN: %s", err.message);
    }
}

void muster__admin_end(void)
{
    if (atomic_load_explicit(&is_open, memory_order_relaxed)) {
        muster__socket_file_remove();
        muster__admin_server_stop();
        request_free((muster__request *)atomic_exchange(&spare, NULL));
        atomic_store_explicit(&is_open, false, memory_order_relaxed);
    }
}

/* ---- Thread: any ---- */

void muster__admin_prepare(void)
{
    const char *address = secure_getenv("MUSTER_ADMIN");

    (void)snprintf(asked, sizeof asked, "%s", address == NULL ? "" : address);
}

static void listen_on_control(muster__request *base)
{
    admin_request *request = (admin_request *)base;

    request->status = open_at(&request->path, &request->err);
}

/* Has it run on the control thread, which has been acquired. */
static muster_status run(admin_request *request, muster_error *err)
{
    muster_status status = muster__request_run(&request->request, err);

    if (status != MUSTER_OK) {
        return status; /* it is the control thread's now */
    }
    status = request->status;
    if (status != MUSTER_OK && err != NULL) {
        *err = request->err;
    }
    request_free(&request->request);
    return status;
}

static muster_status listen_at(const muster__socket_path *path,
                               muster_error *err)
{
    admin_request *request = request_new(listen_on_control);

    if (request == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    request->path = *path;
    return run(request, err);
}

muster_status muster_admin_listen(const char *address, muster_error *err)
{
    muster__socket_path path;
    muster_status status;

    if (muster__is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    status = muster__socket_path_read(address, &path, err);
    if (status == MUSTER_OK) {
        status = muster__loop_acquire(err);
    }
    if (status == MUSTER_OK) {
        status = listen_at(&path, err);
        muster__loop_release();
    }
    return status;
}

void muster_admin_close(void)
{
    admin_request *request;

    if (muster__is_forked() ||
        !atomic_load_explicit(&is_open, memory_order_relaxed) ||
        muster__loop_acquire(NULL) != MUSTER_OK) {
        return;
    }
    request = atomic_exchange(&spare, NULL);
    if (request == NULL) { /* another thread closes, too: wait as it does */
        request = request_new(close_on_control);
    }
    if (request != NULL) {
        (void)run(request, NULL);
    }
    muster__loop_release();
}
