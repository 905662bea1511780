/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 server that answers as the test says, byte by byte if need be:
 * what no real agent does. A thread for each connection. Thread: any. */
#ifndef MUSTER_TESTS_HTTP_SERVER_H
#define MUSTER_TESTS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct http_server http_server;

/* One request that has come, on its connection's thread. */
typedef struct http_exchange {
    http_server *server;
    int fd;
    unsigned number;   /* of the request, from 1 */
    char target[2048]; /* "/v1/health/service/web?..." */
    char head[8192];   /* all of the request's head */
} http_exchange;

/* Answers a request. False: the connection is to be closed. */
typedef bool (*http_answer_fn)(void *arg, http_exchange *exchange);

/* Listens on a port of 127.0.0.1 that the kernel chooses. NULL: it cannot. */
http_server *http_server_start(http_answer_fn answer, void *arg);

/* Closes all, and waits for answer() to return: what is below ends early. */
void http_server_stop(http_server *server);

int http_server_port(const http_server *server);

/* Requests so far; connections so far. */
unsigned http_server_n_requests(http_server *server);
unsigned http_server_n_connections(http_server *server);

/* ---- for answer(); false: the connection is gone ---- */

bool http_send(http_exchange *exchange, const void *bytes, size_t size);

/* A whole answer; headers are lines that end in "\r\n", or "". */
bool http_reply(http_exchange *exchange, int status, const char *headers,
                const char *body);

/* A 200 with that index. */
bool http_list(http_exchange *exchange, const char *index, const char *body);

/* Waits; ends early when the server stops or the client leaves. */
bool http_wait(http_exchange *exchange, int timeout_ms);

/* Closes the connection so that the client sees a reset. */
void http_reset(http_exchange *exchange);

#endif
