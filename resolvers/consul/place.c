/* SPDX-License-Identifier: Apache-2.0 */
/* Reads where an agent is. */
#include "place.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <text.h>

#define ACCEPTED                                                               \
    "host:port, http://host:port, https://host:port/prefix or "                \
    "unix:///path/to/socket"

enum {
    PORT = 8500,
    PORT_TLS = 8501,
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
    PORT_MAX = 65535
};

/* What has a user or a query, which are no part of an address, may have a
 * password or a token there. */
static muster_status refuse(const char *text, const char *why,
                            muster_error *err)
{
    bool is_secret = strpbrk(text, "@?#") != NULL;

    return muster_error_set(
        err, MUSTER_INVAL, "address %s of the Consul agent %s; accepted are %s",
        is_secret ? "(not shown: it has a \"@\", \"?\" or \"#\")"
                  : muster__quote(text).text,
        why, ACCEPTED);
}

/* ---- host and port ---- */

static bool is_host_character(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

static bool is_name(const char *host)
{
    size_t length = strlen(host);

    for (size_t i = 0; i < length; i++) {
        if (!is_host_character(host[i])) {
            return false;
        }
    }
    return length > 0;
}

/* What is no name must be an address; which one, the brackets say. */
static bool read_host(const char *text, size_t length, bool has_brackets,
                      muster__consul_place *place)
{
    struct in6_addr binary;

    if (length == 0 || length >= sizeof place->host) {
        return false;
    }
    memcpy(place->host, text, length);
    place->host[length] = '\0';
    if (has_brackets) {
        place->is_name = false;
        return inet_pton(AF_INET6, place->host, &binary) == 1;
    }
    place->is_name = inet_pton(AF_INET, place->host, &binary) != 1;
    return is_name(place->host);
}

static bool read_port(const char *text, size_t length, uint16_t *ret_port)
{
    unsigned long number = 0;

    if (length == 0 || length > 5) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        number = number * 10 + (unsigned long)(text[i] - '0');
    }
    if (number == 0 || number > PORT_MAX) {
        return false;
    }
    *ret_port = (uint16_t)number;
    return true;
}

/* length bytes of text: the host, perhaps in brackets, and perhaps a port. */
static const char *read_host_port(const char *text, size_t length,
                                  uint16_t port, muster__consul_place *place)
{
    bool has_brackets = length > 0 && *text == '[';
    const char *host = text + (has_brackets ? 1 : 0);
    const char *end = memchr(text, has_brackets ? ']' : ':', length);
    const char *rest;

    if (has_brackets && end == NULL) {
        return "has a \"[\" without its \"]\"";
    }
    if (end == NULL) {
        end = text + length;
    }
    if (!read_host(host, (size_t)(end - host), has_brackets, place)) {
        return "has no valid host";
    }
    rest = end + (has_brackets ? 1 : 0);
    place->port = port;
    if (rest == text + length) {
        return NULL;
    }
    if (*rest != ':' || !read_port(rest + 1, (size_t)(text + length - rest - 1),
                                   &place->port)) {
        return "has a port that is not a number from 1 to 65535";
    }
    return NULL;
}

/* ---- the rest of it ---- */

/* Slashes at its end are dropped: paths begin with one. */
static const char *read_prefix(const char *text, muster__consul_place *place)
{
    size_t length = strlen(text);

    while (length > 0 && text[length - 1] == '/') {
        length--;
    }
    if (length >= sizeof place->prefix) {
        return "has too long a path";
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("?#", text[i]) != NULL) {
            return "has a path with a character that no URL has there";
        }
    }
    memcpy(place->prefix, text, length);
    place->prefix[length] = '\0';
    return NULL;
}

static bool skip_scheme(const char **text, const char *scheme)
{
    size_t length = strlen(scheme);

    if (strncasecmp(*text, scheme, length) != 0) {
        return false;
    }
    *text += length;
    return true;
}

muster_status muster__consul_place_socket(const char *path, size_t length,
                                          muster__consul_place *ret_place,
                                          muster_error *err)
{
    muster__consul_place place = {.port = 0};

    if (length == 0 || *path != '/' || length >= sizeof place.socket ||
        !muster__is_clean_text(path, length)) {
        return refuse(path,
                      "is not the absolute path of a socket, of at most 107 "
                      "bytes",
                      err);
    }
    memcpy(place.socket, path, length);
    *ret_place = place;
    return MUSTER_OK;
}

muster_status muster__consul_place_parse(const char *text, bool is_tls,
                                         muster__consul_place *ret_place,
                                         muster_error *err)
{
    muster__consul_place place = {.is_tls = is_tls};
    const char *at = text;
    const char *why;
    size_t length;

    if (skip_scheme(&at, "unix://")) {
        return muster__consul_place_socket(at, strlen(at), ret_place, err);
    }
    if (skip_scheme(&at, "https://")) {
        place.is_tls = true;
    } else if (!skip_scheme(&at, "http://") && strstr(at, "://") != NULL) {
        return refuse(text, "has an unknown scheme", err);
    }
    length = strcspn(at, "/");
    why = read_host_port(at, length, place.is_tls ? PORT_HTTPS : PORT_HTTP,
                         &place);
    if (why == NULL) {
        why = read_prefix(at + length, &place);
    }
    if (why != NULL) {
        return refuse(text, why, err);
    }
    *ret_place = place;
    return MUSTER_OK;
}

muster_status muster__consul_place_authority(const char *text, bool is_tls,
                                             muster__consul_place *ret_place,
                                             muster_error *err)
{
    muster__consul_place place = {.is_tls = is_tls};
    const char *why;

    if (strchr(text, ',') != NULL) {
        return refuse(text, "is more than one", err);
    }
    why = read_host_port(text, strlen(text), is_tls ? PORT_TLS : PORT, &place);
    if (why != NULL) {
        return refuse(text, why, err);
    }
    *ret_place = place;
    return MUSTER_OK;
}

void muster__consul_place_text(const muster__consul_place *place, char *buffer,
                               size_t size)
{
    bool is_ipv6 = strchr(place->host, ':') != NULL;

    if (*place->socket != '\0') {
        (void)snprintf(buffer, size, "unix://%s", place->socket);
        return;
    }
    (void)snprintf(buffer, size, "%s://%s%s%s:%u%s",
                   place->is_tls ? "https" : "http", is_ipv6 ? "[" : "",
                   place->host, is_ipv6 ? "]" : "", place->port, place->prefix);
}
