/* SPDX-License-Identifier: Apache-2.0 */
/* What a target's text means. */
#include "target.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "registry.h"
#include "target_internal.h"
#include "text.h"

enum { SCHEME_MAX = 32, SCHEME_LIST_SIZE = 256 };

#define IMPLIED_SCHEME "dns"

/* The length of what looks like a scheme before the first ":"; 0: none does. */
static size_t scheme_length(const char *text)
{
    size_t length = 0;

    if (!isalpha((unsigned char)text[0])) {
        return 0;
    }
    while (isalnum((unsigned char)text[length]) ||
           (text[length] != '\0' && strchr("+.-", text[length]) != NULL)) {
        length++;
    }
    return text[length] == ':' ? length : 0;
}

/* The scheme in lower case, when there is a plugin for it. MUSTER_NOTFOUND,
 * MUSTER_NOMEM. */
static muster_status known_scheme(const char *text, size_t length,
                                  char *ret_scheme)
{
    if (length == 0 || length > SCHEME_MAX) {
        return MUSTER_NOTFOUND;
    }
    for (size_t i = 0; i < length; i++) {
        ret_scheme[i] = (char)tolower((unsigned char)text[i]);
    }
    ret_scheme[length] = '\0';
    return muster__registry_find_scheme(ret_scheme);
}

static muster_status fail_unknown(const char *text, size_t length,
                                  muster_error *err)
{
    char schemes[SCHEME_LIST_SIZE] = "";

    muster__registry_list_schemes(schemes, sizeof schemes);
    return muster_error_set(err, MUSTER_NOTFOUND,
                            "there is no plugin for scheme %s; there are: %s",
                            muster__quote_n(text, length).text, schemes);
}

static muster_status fail_implied(const char *text, muster_error *err)
{
    char schemes[SCHEME_LIST_SIZE] = "";
    char reads_as[MUSTER__QUOTED_MAX + 1];

    (void)snprintf(reads_as, sizeof reads_as, IMPLIED_SCHEME ":///%s", text);
    muster__registry_list_schemes(schemes, sizeof schemes);
    return muster_error_set(
        err, MUSTER_NOTFOUND,
        "reads as %s, but there is no plugin for " IMPLIED_SCHEME
        "; there are: %s",
        muster__quote(reads_as).text, schemes);
}

static muster_status fail_memory(muster_error *err)
{
    return muster_error_set(err, MUSTER_NOMEM, "out of memory");
}

/* The scheme that text has, or reads as; *ret_implied is what it is to begin
 * with then. */
static muster_status find_scheme(const char *text, char *ret_scheme,
                                 const char **ret_implied, muster_error *err)
{
    const size_t length = scheme_length(text);
    muster_status status = known_scheme(text, length, ret_scheme);

    *ret_implied = "";
    if (status == MUSTER_NOTFOUND) {
        if (length != 0 && strncmp(text + length, "://", 3) == 0) {
            return fail_unknown(text, length, err);
        }
        status = muster__registry_find_scheme(IMPLIED_SCHEME);
        if (status == MUSTER_NOTFOUND) {
            return fail_implied(text, err);
        }
        *ret_implied = IMPLIED_SCHEME ":///";
        memcpy(ret_scheme, IMPLIED_SCHEME, sizeof IMPLIED_SCHEME);
    }
    return status == MUSTER_OK ? MUSTER_OK : fail_memory(err);
}

/* Finds the scheme, and writes text with it into *ret_text, the caller's. */
static muster_status complete(const char *text, char *ret_scheme,
                              char **ret_text, muster_error *err)
{
    const char *implied;
    char *full;
    muster_status status = find_scheme(text, ret_scheme, &implied, err);

    if (status != MUSTER_OK) {
        return status;
    }
    full = malloc(strlen(implied) + strlen(text) + 1);
    if (full == NULL) {
        return fail_memory(err);
    }
    memcpy(full, implied, strlen(implied));
    memcpy(full + strlen(implied), text, strlen(text) + 1);
    *ret_text = full;
    return MUSTER_OK;
}

static bool has_option(const muster_resolver_class *class_, const char *name)
{
    for (uint32_t i = 0; i < class_->n_options; i++) {
        if (strcmp(class_->options[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static muster_status fail_option(const muster_resolver_class *class_,
                                 const char *name, muster_error *err)
{
    char known[SCHEME_LIST_SIZE] = "empty";
    size_t length = strlen(known);

    for (uint32_t i = 0; i < class_->n_options && length < sizeof known; i++) {
        int n = snprintf(known + length, sizeof known - length, ", %s",
                         class_->options[i].name);

        length += n > 0 ? (size_t)n : 0;
    }
    return muster_error_set(err, MUSTER_INVAL,
                            "unknown option %s; %s knows: %s",
                            muster__quote(name).text, class_->scheme, known);
}

/* Hands the uri's options over to the target, but for the core's own. */
static muster_status take_options(muster__target *target, muster__uri *uri,
                                  muster_error *err)
{
    const muster_resolver_class *class_ = target->resolver;
    const char *empty = class_->empty != NULL ? class_->empty : "accept";
    muster_status status;
    uint32_t n = 0;

    for (uint32_t i = 0; i < uri->n_options; i++) {
        if (strcmp(uri->options[i].key, "empty") == 0) {
            empty = uri->options[i].value;
        } else if (!has_option(class_, uri->options[i].key)) {
            return fail_option(class_, uri->options[i].key, err);
        }
    }
    status = muster__empty_parse(empty, &target->empty, &target->hold_ms, err);
    if (status != MUSTER_OK) {
        return status;
    }
    target->options = uri->options;
    for (uint32_t i = 0; i < uri->n_options; i++) {
        if (strcmp(uri->options[i].key, "empty") == 0) {
            free((char *)uri->options[i].key);
            free((char *)uri->options[i].value);
        } else {
            target->options[n++] = uri->options[i];
        }
    }
    target->n_options = n;
    uri->options = NULL;
    uri->n_options = 0;
    return MUSTER_OK;
}

/* Fills target from uri, which may be left without some of its parts. */
static muster_status fill(muster__target *target, const char *scheme,
                          muster__uri *uri, muster_error *err)
{
    bool is_absolute =
        (target->resolver->flags & MUSTER_RESOLVER_ABSOLUTE_PATH) != 0;

    if (!is_absolute && uri->path[0] == '/') {
        memmove(uri->path, uri->path + 1, strlen(uri->path));
    }
    target->canonical =
        muster__uri_canonical(scheme, uri->path, is_absolute, uri);
    target->scheme = strdup(scheme);
    if (target->canonical == NULL || target->scheme == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    target->authority = uri->authority;
    target->path = uri->path;
    uri->authority = NULL;
    uri->path = NULL;
    return take_options(target, uri, err);
}

static muster_status make(const char *text, const char *scheme,
                          muster__target **ret_target, muster_error *err)
{
    muster__target *target = calloc(1, sizeof *target);
    muster__uri uri = {0};
    muster_status status;

    if (target == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    status = muster__uri_parse(text, strlen(scheme) + 1, &uri, err);
    if (status == MUSTER_OK) {
        status = muster__registry_resolver(scheme, &target->resolver,
                                           &target->plugin, err);
    }
    if (status == MUSTER_OK) {
        status = fill(target, scheme, &uri, err);
    }
    muster__uri_clear(&uri);
    if (status != MUSTER_OK) {
        muster__target_destroy(target);
        return status;
    }
    *ret_target = target;
    return MUSTER_OK;
}

static muster_status parse(const char *text, muster__target **ret_target,
                           muster_error *err)
{
    char scheme[SCHEME_MAX + 1];
    char *full = NULL;
    muster_status status = muster__uri_check_text(text, err);

    if (status == MUSTER_OK) {
        status = complete(text, scheme, &full, err);
    }
    if (status == MUSTER_OK) {
        status = make(full, scheme, ret_target, err);
    }
    free(full);
    return status;
}

muster_status muster__target_parse(const char *text,
                                   muster__target **ret_target,
                                   muster_error *err)
{
    muster_error why;
    muster_status status;

    if (text == NULL) {
        return muster_error_set(err, MUSTER_INVAL, "target is NULL");
    }
    status = parse(text, ret_target, &why);
    if (status != MUSTER_OK) {
        return muster_error_set(err, status, "target %s: %s",
                                muster__quote(text).text, why.message);
    }
    return MUSTER_OK;
}

void muster__target_destroy(muster__target *target)
{
    if (target == NULL) {
        return;
    }
    muster__options_free(target->options, target->n_options);
    free(target->path);
    free(target->authority);
    free(target->scheme);
    free(target->canonical);
    free(target);
}
