/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical form of one address: equal addresses have equal text. Header
 * only, so that a plugin can use it without a symbol of the core's. */
#ifndef MUSTER_CORE_ADDRESS_H
#define MUSTER_CORE_ADDRESS_H

#include <muster/status.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include "text.h"

/* Room for any canonical address and its NUL: the longest is an abstract name
 * of 107 bytes. */
enum { MUSTER__ADDRESS_SIZE = 128 };

/* inet_ntop() may write more than it was given: at most 7 bytes for an embedded
 * IPv4 address ("::ffff:ffff"), 1 for a "::" that stood for one group. */
enum { MUSTER__ADDRESS_GROWTH = 8 };

#define MUSTER__ADDRESS_ACCEPTED                                               \
    "10.0.0.1:50051, [::1]:50051, [fe80::1%eth0]:50051, unix:/path or "        \
    "unix-abstract:name"

/* Reads a decimal number up to max; NULL when there is none, it is greater or
 * has a leading zero. */
static inline const char *muster__address_number(const char *at, uint32_t max)
{
    const char *start = at;
    uint32_t value = 0;

    while (*at >= '0' && *at <= '9' && at - start < 5) {
        value = value * 10 + (uint32_t)(*at - '0');
        at++;
    }
    if (at == start || value > max || (*start == '0' && at - start > 1)) {
        return NULL;
    }
    return at;
}

static inline bool muster__address_is_port(const char *text)
{
    const char *end = muster__address_number(text, 65535);

    return end != NULL && *end == '\0' && *text != '0';
}

/* The length of text when it is an IPv4 address with a port, which has only one
 * form; else 0. */
static inline size_t muster__address_ipv4_length(const char *text)
{
    const char *at = text;

    for (int i = 0; i < 4; i++) {
        at = muster__address_number(at, 255);
        if (at == NULL || *at != (i < 3 ? '.' : ':')) {
            return 0;
        }
        at++;
    }
    if (*at == '0') {
        return 0;
    }
    at = muster__address_number(at, 65535);
    return at != NULL && *at == '\0' ? (size_t)(at - text) : 0;
}

static inline muster_status
muster__address_bad_port(const char *text, const char *port, muster_error *err)
{
    return muster_error_set(err, MUSTER_INVAL,
                            "address %s: port %s is not a number from 1 to "
                            "65535 without leading zeros",
                            muster__quote(text).text, muster__quote(port).text);
}

static inline bool muster__address_is_zone(const char *zone, size_t length)
{
    if (length == 0 || length >= IF_NAMESIZE) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (zone[i] <= ' ' || zone[i] > '~' || strchr("/%[]:", zone[i])) {
            return false;
        }
    }
    return true;
}

/* The part between the brackets: text + 1 up to end. */
static inline muster_status muster__address_ipv6(const char *text,
                                                 const char *end, char *buffer,
                                                 size_t *ret_length,
                                                 muster_error *err)
{
    size_t length = (size_t)(end - text - 1);
    const char *zone = memchr(text + 1, '%', length);
    size_t digits = zone != NULL ? (size_t)(zone - text - 1) : length;
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr binary;
    size_t at;

    if (digits >= sizeof copy) {
        digits = 0; /* too long to be one: reads as an empty one, refused */
    }
    memcpy(copy, text + 1, digits);
    copy[digits] = '\0';
    if (inet_pton(AF_INET6, copy, &binary) != 1) {
        return muster_error_set(
            err, MUSTER_INVAL, "address %s: %s is not an IPv6 address",
            muster__quote(text).text, muster__quote_n(text + 1, length).text);
    }
    if (zone != NULL &&
        !muster__address_is_zone(zone + 1, length - digits - 1)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "address %s: zone %s is not the name or number "
                                "of a network interface (1 to 15 characters)",
                                muster__quote(text).text,
                                muster__quote_n(zone, length - digits).text);
    }
    if (end[1] != ':') {
        return muster_error_set(err, MUSTER_INVAL,
                                "address %s: no port after the \"]\"; a port "
                                "is mandatory: [::1]:50051",
                                muster__quote(text).text);
    }
    if (!muster__address_is_port(end + 2)) {
        return muster__address_bad_port(text, end + 2, err);
    }
    buffer[0] = '[';
    (void)inet_ntop(AF_INET6, &binary, buffer + 1, INET6_ADDRSTRLEN);
    at = strlen(buffer);
    memcpy(buffer + at, text + 1 + digits, length - digits); /* "%zone" */
    at += length - digits;
    length = strlen(end); /* "]:port" */
    memcpy(buffer + at, end, length + 1);
    *ret_length = at + length;
    return MUSTER_OK;
}

/* Bytes of a path or of an abstract name. */
static inline muster_status muster__address_check_name(const char *text,
                                                       const char *name,
                                                       muster_error *err)
{
    const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    size_t length = strlen(name);

    if (length == 0) {
        return muster_error_set(err, MUSTER_INVAL,
                                "address %s: nothing follows the \":\"; "
                                "accepted are unix:/path and "
                                "unix-abstract:name",
                                muster__quote(text).text);
    }
    if (length > max) {
        return muster_error_set(err, MUSTER_INVAL,
                                "address %s: %zu bytes are too long for a "
                                "socket's name; at most %zu are accepted",
                                muster__quote(text).text, length, max);
    }
    if (!muster__is_clean_text(name, length)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "address %s: a socket's name is UTF-8 without "
                                "control characters",
                                muster__quote(text).text);
    }
    return MUSTER_OK;
}

/* text is "unix:" and a path. Runs of "/" become one: they mean the same. */
static inline muster_status muster__address_unix(const char *text, char *buffer,
                                                 size_t *ret_length,
                                                 muster_error *err)
{
    size_t at = strlen("unix:");
    const char *path = text + at;
    muster_status status = muster__address_check_name(text, path, err);

    if (status != MUSTER_OK) {
        return status;
    }
    if (*path != '/' || path[strspn(path, "/")] == '\0') {
        return muster_error_set(err, MUSTER_INVAL,
                                "address %s: %s is not an absolute path of a "
                                "socket: unix:/path",
                                muster__quote(text).text,
                                muster__quote(path).text);
    }
    memcpy(buffer, text, at);
    for (; *path != '\0'; path++) {
        if (path[0] != '/' || path[1] != '/') {
            buffer[at++] = *path;
        }
    }
    buffer[at] = '\0';
    *ret_length = at;
    return MUSTER_OK;
}

/* What is wrong with text, which has none of the accepted forms. */
static inline muster_status muster__address_explain(const char *text,
                                                    muster_error *err)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    const char *why = "is a host name, and names are a resolver's business";

    if (memchr(text, ':', length) != NULL) {
        why = "has more than one \":\"; an IPv6 address stands in brackets";
    } else if (length == 0) {
        why = "is no host";
    } else if (strspn(text, "0123456789.") >= length) {
        struct in_addr binary;
        char copy[INET_ADDRSTRLEN] = "";

        if (length < sizeof copy) {
            memcpy(copy, text, length);
        }
        if (inet_pton(AF_INET, copy, &binary) == 1) {
            if (colon != NULL) {
                return muster__address_bad_port(text, colon + 1, err);
            }
            why = "has no port, and a port is mandatory";
        } else {
            why = "is not an IPv4 address";
        }
    }
    return muster_error_set(
        err, MUSTER_INVAL, "address %s: %s %s; accepted are %s",
        muster__quote(text).text, muster__quote_n(text, length).text, why,
        MUSTER__ADDRESS_ACCEPTED);
}

/* Writes the canonical form of text into buffer, which has room for
 * MUSTER__ADDRESS_SIZE bytes; on failure its content is undefined. Writes at
 * most MUSTER__ADDRESS_GROWTH bytes more than text has. Thread: any.
 * MUSTER_INVAL: err names the part that is wrong and what is accepted. */
static inline muster_status muster__address_canonical(const char *text,
                                                      char *buffer,
                                                      size_t *ret_length,
                                                      muster_error *err)
{
    size_t length = muster__address_ipv4_length(text);
    const char *end;
    muster_status status;

    if (length != 0) {
        memcpy(buffer, text, length + 1);
        *ret_length = length;
        return MUSTER_OK;
    }
    if (*text == '[' && (end = strchr(text, ']')) != NULL) {
        return muster__address_ipv6(text, end, buffer, ret_length, err);
    }
    if (strncmp(text, "unix:", 5) == 0) {
        return muster__address_unix(text, buffer, ret_length, err);
    }
    if (strncmp(text, "unix-abstract:", 14) == 0) {
        status = muster__address_check_name(text, text + 14, err);
        if (status == MUSTER_OK) {
            *ret_length = strlen(text);
            memcpy(buffer, text, *ret_length + 1);
        }
        return status;
    }
    return muster__address_explain(text, err);
}

#endif
