/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a process that runs, on its admin socket, and waits for the answer: for
 * one thread. The protocol is in ../../core/README.md. */
#ifndef MUSTER_TOOLS_ADMIN_CLIENT_H
#define MUSTER_TOOLS_ADMIN_CLIENT_H

#include <stdint.h>

#include <jansson.h>
#include <muster/status.h>

typedef struct admin_client admin_client;

/* The path in address, which is a PATH or unix:PATH; NULL: in the environment
 * variable MUSTER_ADMIN. Borrowed. NULL, and MUSTER_INVAL in err: neither is
 * there, or it stands for many processes ("%p"). */
const char *admin_client_path(const char *address, muster_error *err);

/* Connects to path. MUSTER_UNAVAILABLE (no such file, or
 * nobody answers), MUSTER_PERMISSION, MUSTER_INVAL (too long), MUSTER_NOMEM;
 * err says why, without the path. *ret_client is the caller's. */
muster_status admin_client_create(const char *path, admin_client **ret_client,
                                  muster_error *err);
void admin_client_destroy(admin_client *client); /* NULL is ignored */

/* Sends request, a word, and waits for the answer, an object, at most
 * timeout_ms; *ret_answer is the caller's. MUSTER_TIMEOUT, MUSTER_UNAVAILABLE
 * (it has gone, or let nobody in), MUSTER_PROTOCOL (garbage, another schema,
 * more than 64 MiB), MUSTER_NOMEM; err says why. After a failure the client is
 * of no more use. */
muster_status admin_client_ask(admin_client *client, const char *request,
                               uint64_t timeout_ms, json_t **ret_answer,
                               muster_error *err);

/* The same, of its channels: an array of objects that have a target and a
 * state. Anything else is MUSTER_PROTOCOL, too. */
muster_status admin_client_ask_channels(admin_client *client,
                                        uint64_t timeout_ms,
                                        json_t **ret_answer, muster_error *err);

/* Waits for pause_ms, between two requests. MUSTER_UNAVAILABLE as soon as the
 * process has gone, or says anything. */
muster_status admin_client_pause(const admin_client *client, uint64_t pause_ms,
                                 muster_error *err);

#endif
