/* SPDX-License-Identifier: Apache-2.0 */
/* Where an agent is. */
#ifndef MUSTER_RESOLVERS_CONSUL_PLACE_H
#define MUSTER_RESOLVERS_CONSUL_PLACE_H

#include <muster/status.h>

#include <stdbool.h>
#include <stdint.h>

enum {
    MUSTER__CONSUL_HOST_SIZE = 256,
    MUSTER__CONSUL_SOCKET_SIZE = 108, /* of sockaddr_un */
    MUSTER__CONSUL_PREFIX_SIZE = 256,
    MUSTER__CONSUL_URL_SIZE = 640
};

typedef struct muster__consul_place {
    bool is_tls;
    bool is_name; /* host has to be resolved */
    uint16_t port;
    char host[MUSTER__CONSUL_HOST_SIZE];     /* without brackets */
    char socket[MUSTER__CONSUL_SOCKET_SIZE]; /* "": not a socket */
    char prefix[MUSTER__CONSUL_PREFIX_SIZE]; /* "/consul", or "" */
} muster__consul_place;

/* Reads what CONSUL_HTTP_ADDR has: "host:port", "http://host:port/prefix",
 * "https://...", "unix:///path". Without a scheme it is https when is_tls says
 * so, and "http://" does not undo that either. Without a port it is what the
 * scheme has. MUSTER_INVAL: err says what is accepted. */
muster_status muster__consul_place_parse(const char *text, bool is_tls,
                                         muster__consul_place *ret_place,
                                         muster_error *err);

/* Reads the authority of a target: "host", "host:port", "[::1]:port"; port 8500
 * when there is none, 8501 with TLS. MUSTER_INVAL. */
muster_status muster__consul_place_authority(const char *text, bool is_tls,
                                             muster__consul_place *ret_place,
                                             muster_error *err);

/* Takes the path of a socket. MUSTER_INVAL. */
muster_status muster__consul_place_socket(const char *path, size_t length,
                                          muster__consul_place *ret_place,
                                          muster_error *err);

/* Writes the place as a URL, for messages and requests: "http://[::1]:8500",
 * "unix:///run/consul.sock". */
void muster__consul_place_text(const muster__consul_place *place, char *buffer,
                               size_t size);

#endif
