/* SPDX-License-Identifier: Apache-2.0 */
/* One endpoint as a line of text: ADDRESS[;weight=N][;priority=N][;zone=Z]
 * [;hostname=H]. Header only: two plugins use it, and both may be compiled into
 * one library. */
#ifndef MUSTER_STATIC_ENTRY_H
#define MUSTER_STATIC_ENTRY_H

#include <muster/endpoint.h>
#include <muster/status.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <address.h>

#define ENTRY_ACCEPTED "weight=N, priority=N, zone=Z and hostname=H"

enum { ENTRY_HOSTNAME_MAX = 255 };

/* Reads a whole number from min to UINT32_MAX. */
static inline bool entry_number(const char *text, uint32_t min,
                                uint32_t *ret_number)
{
    uint64_t number = 0;
    size_t length = strspn(text, "0123456789");

    if (length == 0 || length > 10 || text[length] != '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        number = number * 10 + (uint64_t)(*text - '0');
    }
    if (number < min || number > UINT32_MAX) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

static inline bool entry_is_hostname(const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return length > 0 && length <= ENTRY_HOSTNAME_MAX;
}

static inline bool entry_is_name(const char *text)
{
    return *text != '\0' && muster__is_clean_text(text, strlen(text));
}

/* Which parts an entry has given already. */
typedef struct entry_given {
    bool weight;
    bool priority;
    bool zone;
    bool hostname;
} entry_given;

/* "*given" was false: now it is true. */
static inline bool entry_is_first(bool *given)
{
    bool is_first = !*given;

    *given = true;
    return is_first;
}

static inline muster_status entry_bad(const char *name, const char *value,
                                      const char *accepted, muster_error *err)
{
    return muster_error_set(err, MUSTER_INVAL, "%s %s is not %s", name,
                            muster__quote(value).text, accepted);
}

/* part is "name=value"; the endpoint's text points into it. */
static inline muster_status entry_part(char *part, entry_given *given,
                                       muster_endpoint *endpoint,
                                       muster_error *err)
{
    char *equals = strchr(part, '=');
    size_t length = equals != NULL ? (size_t)(equals - part) : 0;
    const char *value = equals != NULL ? equals + 1 : "";
    bool is_first = false;

    if (length == 6 && memcmp(part, "weight", 6) == 0) {
        is_first = entry_is_first(&given->weight);
        if (!entry_number(value, 1, &endpoint->weight)) {
            return entry_bad("weight", value, "a number from 1 to 4294967295",
                             err);
        }
    } else if (length == 8 && memcmp(part, "priority", 8) == 0) {
        is_first = entry_is_first(&given->priority);
        if (!entry_number(value, 0, &endpoint->priority)) {
            return entry_bad("priority", value,
                             "a number from 0 (the best) to 4294967295", err);
        }
    } else if (length == 4 && memcmp(part, "zone", 4) == 0) {
        is_first = entry_is_first(&given->zone);
        if (!entry_is_name(value)) {
            return entry_bad("zone", value, "a name", err);
        }
        endpoint->zone = value;
    } else if (length == 8 && memcmp(part, "hostname", 8) == 0) {
        is_first = entry_is_first(&given->hostname);
        if (!entry_is_hostname(value)) {
            return entry_bad("hostname", value,
                             "1 to 255 visible ASCII characters", err);
        }
        endpoint->hostname = value;
    } else {
        return muster_error_set(
            err, MUSTER_INVAL,
            "unknown part %s; accepted after the address are " ENTRY_ACCEPTED,
            muster__quote(part).text);
    }
    if (!is_first) {
        return muster_error_set(err, MUSTER_INVAL, "%.*s is given twice",
                                (int)length, part);
    }
    return MUSTER_OK;
}

/* Reads text, which it cuts up: the endpoint's strings point into it. On
 * failure *ret_at is the part that is wrong, and err says what is accepted. */
static inline muster_status entry_parse(char *text,
                                        muster_endpoint *ret_endpoint,
                                        const char **ret_at, muster_error *err)
{
    muster_endpoint endpoint = {0};
    entry_given given = {0};
    char canonical[MUSTER__ADDRESS_SIZE];
    char *next = strchr(text, ';');
    size_t length;
    muster_status status;

    if (next != NULL) {
        *next++ = '\0';
    }
    endpoint.address = text;
    *ret_at = text;
    status = muster__address_canonical(text, canonical, &length, err);
    while (status == MUSTER_OK && next != NULL) {
        char *part = next;

        next = strchr(part, ';');
        if (next != NULL) {
            *next++ = '\0';
        }
        *ret_at = part;
        status = entry_part(part, &given, &endpoint, err);
    }
    if (status == MUSTER_OK) {
        *ret_endpoint = endpoint;
    }
    return status;
}

#endif
