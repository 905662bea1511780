/* SPDX-License-Identifier: Apache-2.0 */
/* Host names, and addresses in their place. */
#include "name.h"

#include <stdio.h>
#include <string.h>

#define PORT_DEFAULT "443"
#define ACCEPTED "web.prod, web.prod:50051, 10.0.0.1:50051 or [::1]:50051"

enum { LABEL_MAX = 63 };

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Where the label at text ends; NULL when it is none. */
static const char *end_of_label(const char *text)
{
    const char *at = text;

    while (is_label_byte(*at)) {
        at++;
    }
    if (at == text || at - text > LABEL_MAX || (*at != '.' && *at != '\0')) {
        return NULL;
    }
    return at;
}

bool muster__dns_name_is_valid(const char *text)
{
    const char *at = text;

    if (strnlen(text, MUSTER__DNS_NAME_SIZE) >= MUSTER__DNS_NAME_SIZE) {
        return false;
    }
    for (;;) {
        at = end_of_label(at);
        if (at == NULL) {
            return false;
        }
        if (*at == '\0') {
            return true;
        }
        at++;
    }
}

bool muster__dns_name_join(const char *name, const char *domain, char *text)
{
    int length = snprintf(text, MUSTER__DNS_NAME_SIZE, "%s%s%s", name,
                          *domain == '\0' ? "" : ".", domain);

    return length < MUSTER__DNS_NAME_SIZE && muster__dns_name_is_valid(text);
}

const char *muster__dns_name_skip_labels(const char *name)
{
    const char *dot;

    while (*name == '_' && (dot = strchr(name, '.')) != NULL) {
        name = dot + 1;
    }
    return name;
}

/* ---- addresses ---- */

/* Whether text can only be meant as an address. */
static bool looks_like_address(const char *text)
{
    const char *colon = strchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);

    if (*text == '[' || (colon != NULL && strchr(colon + 1, ':') != NULL)) {
        return true;
    }
    return length > 0 && strspn(text, "0123456789.") >= length;
}

static bool has_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *bracket = strrchr(text, ']');

    if (bracket != NULL) {
        return bracket[1] == ':';
    }
    return colon != NULL && strchr(text, ':') == colon;
}

static muster_status read_literal(const char *text, muster__dns_name *name,
                                  muster_error *err)
{
    char full[MUSTER__ADDRESS_SIZE];
    size_t ignored;
    bool needs_brackets = *text != '[' && strchr(text, ':') != NULL;
    int length;

    if (has_port(text)) {
        length = snprintf(full, sizeof full, "%s", text);
    } else if (needs_brackets) {
        length = snprintf(full, sizeof full, "[%s]:" PORT_DEFAULT, text);
    } else {
        length = snprintf(full, sizeof full, "%s:" PORT_DEFAULT, text);
    }
    if ((size_t)length >= sizeof full - MUSTER__ADDRESS_GROWTH) {
        return muster_error_set(err, MUSTER_INVAL, "%s is not an address",
                                muster__quote(text).text);
    }
    return muster__address_canonical(full, name->literal, &ignored, err);
}

/* ---- names ---- */

static muster_status read_port(const char *path, const char *colon,
                               muster__dns_name *name, muster_error *err)
{
    if (colon == NULL) {
        memcpy(name->port, PORT_DEFAULT, sizeof PORT_DEFAULT);
        return MUSTER_OK;
    }
    if (!muster__address_is_port(colon + 1)) {
        return muster_error_set(
            err, MUSTER_INVAL, "%s: port %s is not a number from 1 to 65535",
            muster__quote(path).text, muster__quote(colon + 1).text);
    }
    name->has_port = true;
    memcpy(name->port, colon + 1, strlen(colon + 1) + 1);
    return MUSTER_OK;
}

static muster_status explain(const char *text, muster_error *err)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((*at & 0x80) != 0) {
            return muster_error_set(
                err, MUSTER_INVAL,
                "%s: names in other alphabets are not converted; write the "
                "name's ASCII form (xn--...), as the command idn2 prints it",
                muster__quote(text).text);
        }
    }
    return muster_error_set(
        err, MUSTER_INVAL,
        "%s is not a host name (labels of letters, digits, \"-\" and \"_\", "
        "at most 63 bytes each and 253 in all): accepted are " ACCEPTED,
        muster__quote(text).text);
}

static void to_lower(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z') {
            *text = (char)(*text | 0x20);
        }
    }
}

static muster_status read_text(const char *path, size_t length,
                               muster__dns_name *name, muster_error *err)
{
    if (length > 1 && path[length - 1] == '.') {
        name->is_absolute = true;
        length--;
    }
    if (length >= sizeof name->text) {
        return explain(path, err);
    }
    memcpy(name->text, path, length);
    name->text[length] = '\0';
    if (!muster__dns_name_is_valid(name->text)) {
        return explain(name->text, err);
    }
    to_lower(name->text);
    name->is_service = *name->text == '_';
    return MUSTER_OK;
}

muster_status muster__dns_name_parse(const char *path,
                                     muster__dns_name *ret_name,
                                     muster_error *err)
{
    muster__dns_name name = {.is_absolute = false};
    const char *colon = strchr(path, ':');
    muster_status status;

    if (*path == '\0' || (colon == path && !looks_like_address(path))) {
        return muster_error_set(err, MUSTER_INVAL,
                                "there is no name to resolve: accepted "
                                "are " ACCEPTED);
    }
    if (looks_like_address(path)) {
        status = read_literal(path, &name, err);
    } else {
        status = read_port(path, colon, &name, err);
        if (status == MUSTER_OK) {
            status = read_text(
                path, colon != NULL ? (size_t)(colon - path) : strlen(path),
                &name, err);
        }
    }
    if (status == MUSTER_OK) {
        *ret_name = name;
    }
    return status;
}
