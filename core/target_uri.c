/* SPDX-License-Identifier: Apache-2.0 */
/* Splits a target's URI into decoded parts (RFC 3986, by uriparser). */
#include "target_internal.h"

#include <uriparser/Uri.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* A URI on its way through uriparser. The authority is cut out of it: RFC 3986
 * has one host there, we have a list, and each part is looked at alone. */
struct parse {
    char *authority; /* encoded, like text: what uriparser accepts */
    char *text;      /* the URI without its authority */
    char *path;      /* in text: where the path begins */
    UriUriA parsed;  /* points into text */
    UriQueryListA *query;
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at text stands for; -1: it is none. */
static int escaped_byte(const char *text)
{
    int high = text[0] == '%' ? hex_value(text[1]) : -1;
    int low = high >= 0 ? hex_value(text[2]) : -1;

    return low >= 0 ? high * 16 + low : -1;
}

muster_status muster__uri_check_text(const char *text, muster_error *err)
{
    size_t length = strnlen(text, MUSTER__TARGET_MAX + 1);

    if (length == 0) {
        return muster_error_set(err, MUSTER_INVAL, "it is empty");
    }
    if (length > MUSTER__TARGET_MAX) {
        return muster_error_set(err, MUSTER_INVAL, "it is longer than %d bytes",
                                MUSTER__TARGET_MAX);
    }
    for (size_t i = 0; i < length; i++) {
        int byte = (unsigned char)text[i];

        if (byte == '%') {
            byte = escaped_byte(text + i);
        }
        if (byte < 0) {
            return muster_error_set(
                err, MUSTER_INVAL,
                "%s is not a percent-escape; a \"%%\" "
                "itself is written %%25",
                muster__quote_n(text + i, strnlen(text + i, 3)).text);
        }
        if (byte < 0x20 || byte == 0x7f) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "control character 0x%02x at byte %zu",
                                    (unsigned)byte, i + 1);
        }
    }
    return MUSTER_OK;
}

static char *put_escaped(char *to, char c)
{
    static const char digits[] = "0123456789ABCDEF";

    *to++ = '%';
    *to++ = digits[(unsigned char)c >> 4];
    *to++ = digits[(unsigned char)c & 15];
    return to;
}

/* Copies length bytes as uriparser accepts them: bytes of other characters than
 * ASCII, and brackets where it takes none, are escaped. The caller's; NULL: out
 * of memory. */
static char *encode(const char *text, size_t length, bool takes_brackets)
{
    char *encoded = malloc(3 * length + 1);
    char *to = encoded;

    if (encoded == NULL) {
        return NULL;
    }
    for (const char *at = text; at < text + length; at++) {
        if ((!takes_brackets && (*at == '[' || *at == ']')) ||
            (*at & 0x80) != 0) {
            to = put_escaped(to, *at);
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return encoded;
}

/* Takes the authority out of text. The scheme has nothing to be encoded, so
 * that the path begins where it did, less the authority. */
static muster_status cut(const char *text, size_t scheme_length,
                         struct parse *parse)
{
    const char *authority = text + scheme_length;
    size_t length = 0;
    char *rest;

    if (strncmp(authority, "//", 2) == 0) {
        authority += 2;
        length = strcspn(authority, "/?#");
    }
    parse->authority = encode(authority, length, true);
    rest = encode(authority + length, strlen(authority + length), false);
    parse->text = rest == NULL
                      ? NULL
                      : malloc((size_t)(authority - text) + strlen(rest) + 1);
    if (parse->text != NULL) {
        parse->path = parse->text + (authority - text);
        memcpy(parse->text, text, (size_t)(authority - text));
        memcpy(parse->path, rest, strlen(rest) + 1);
    }
    free(rest);
    return parse->authority != NULL && parse->text != NULL ? MUSTER_OK
                                                           : MUSTER_NOMEM;
}

/* ---- the authority ---- */

/* Whether text, of length bytes, is what RFC 3986 calls an authority. */
static muster_status try_authority(const char *text, size_t length)
{
    static const char before[] = "x://";
    const size_t offset = sizeof before - 1;
    char *uri = malloc(offset + length + 1);
    const char *at;
    UriUriA parsed;
    int status;

    if (uri == NULL) {
        return MUSTER_NOMEM;
    }
    memcpy(uri, before, offset);
    memcpy(uri + offset, text, length);
    uri[offset + length] = '\0';
    status = uriParseSingleUriA(&parsed, uri, &at);
    if (status == URI_SUCCESS) {
        uriFreeUriMembersA(&parsed);
    }
    free(uri);
    return status == URI_SUCCESS        ? MUSTER_OK
           : status == URI_ERROR_MALLOC ? MUSTER_NOMEM
                                        : MUSTER_INVAL;
}

static muster_status check_part(const char *list, const char *part,
                                size_t length, muster_error *err)
{
    muster_status status = MUSTER_OK;

    if (length == 0) {
        return muster_error_set(err, MUSTER_INVAL,
                                "authority %s has an empty part at byte %zu; "
                                "it is host:port or host:port,host:port",
                                muster__quote(list).text,
                                (size_t)(part - list) + 1);
    }
    status = try_authority(part, length);
    if (status == MUSTER_INVAL) {
        return muster_error_set(
            err, status,
            "%s is not a valid authority (the part between "
            "\"//\" and \"/\"): host:port or host:port,host:port",
            muster__quote_n(part, length).text);
    }
    return status;
}

/* Each part between commas is a host:port of its own. */
static muster_status check_authority(const char *list, muster_error *err)
{
    const char *part = list;
    muster_status status = MUSTER_OK;

    if (*list == '\0') {
        return MUSTER_OK;
    }
    for (;;) {
        size_t length = strcspn(part, ",");

        status = check_part(list, part, length, err);
        part += length;
        if (status != MUSTER_OK || *part == '\0') {
            return status;
        }
        part++;
    }
}

static bool is_unreserved(int c)
{
    return c < 0x80 && (isalnum(c) || strchr("-._~", c) != NULL) && c != 0;
}

/* Where the host of the part at text begins: after a user's name. */
static const char *host_of(const char *text)
{
    size_t length = strcspn(text, ",");
    const char *host = text;

    for (const char *at = text; at < text + length; at++) {
        host = *at == '@' ? at + 1 : host;
    }
    return host;
}

/* Hosts in lower case; escapes only where need be, in upper case: RFC 3986
 * section 6.2.2. */
static char *normalise_authority(const char *from)
{
    char *authority = malloc(strlen(from) + 1);
    char *to = authority;
    const char *host = host_of(from);

    if (authority == NULL) {
        return NULL;
    }
    for (const char *at = from; *at != '\0'; at++) {
        int byte = (unsigned char)*at;

        if (byte == ',') {
            host = host_of(at + 1);
        } else if (byte == '%') {
            byte = escaped_byte(at);
            at += 2;
            if (!is_unreserved(byte)) {
                to = put_escaped(to, (char)byte);
                continue;
            }
        }
        *to++ = (char)(at >= host ? tolower(byte) : byte);
    }
    *to = '\0';
    return authority;
}

static char *copy_text(const char *text, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

static muster_status take_decoded(const char *text, size_t length,
                                  const char *what, char **ret_text,
                                  muster_error *err)
{
    char *copy = copy_text(text, length);

    if (copy == NULL) {
        return MUSTER_NOMEM;
    }
    uriUnescapeInPlaceExA(copy, URI_FALSE, URI_BR_DONT_TOUCH);
    if (muster__utf8_end(copy, strlen(copy)) != strlen(copy)) {
        muster_error_set(err, MUSTER_INVAL, "%s %s is not UTF-8", what,
                         muster__quote(copy).text);
        free(copy);
        return MUSTER_INVAL;
    }
    *ret_text = copy;
    return MUSTER_OK;
}

static muster_status take_authority(const struct parse *parse, muster__uri *uri,
                                    muster_error *err)
{
    muster_status status = check_authority(parse->authority, err);

    if (status != MUSTER_OK) {
        return status;
    }
    uri->canonical_authority = normalise_authority(parse->authority);
    if (uri->canonical_authority == NULL) {
        return MUSTER_NOMEM;
    }
    return take_decoded(uri->canonical_authority,
                        strlen(uri->canonical_authority), "authority",
                        &uri->authority, err);
}

/* ---- the rest ---- */

static muster_status parse_rest(struct parse *parse, muster_error *err)
{
    const char *at = NULL;
    int status = uriParseSingleUriA(&parse->parsed, parse->text, &at);

    if (status == URI_ERROR_MALLOC) {
        return MUSTER_NOMEM;
    }
    if (status != URI_SUCCESS) {
        memset(&parse->parsed, 0, sizeof parse->parsed);
        at = at == NULL ? parse->text : at;
        return muster_error_set(err, MUSTER_INVAL,
                                "%s: a URI cannot have that character as it "
                                "is; write it as %%%02X",
                                muster__quote(at).text, (unsigned char)*at);
    }
    if (parse->parsed.fragment.first != NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "a target has no fragment; a \"#\" itself is "
                                "written %%23");
    }
    return MUSTER_OK;
}

static muster_status take_path(const struct parse *parse, muster__uri *uri,
                               muster_error *err)
{
    const char *end = parse->parsed.query.first != NULL
                          ? parse->parsed.query.first - 1
                          : parse->path + strlen(parse->path);

    return take_decoded(parse->path, (size_t)(end - parse->path), "path",
                        &uri->path, err);
}

static muster_status take_option(const UriQueryListA *from, muster__uri *uri,
                                 muster_error *err)
{
    muster_attribute *option = &uri->options[uri->n_options];
    const char *value = from->value;

    if (from->key[0] == '\0' || value == NULL || value[0] == '\0') {
        return muster_error_set(err, MUSTER_INVAL,
                                "option %s has no %s; options are "
                                "?name=value&name=value",
                                muster__quote(from->key).text,
                                from->key[0] == '\0' ? "name" : "value");
    }
    if (muster__utf8_end(from->key, strlen(from->key)) != strlen(from->key) ||
        muster__utf8_end(value, strlen(value)) != strlen(value)) {
        return muster_error_set(err, MUSTER_INVAL, "option %s is not UTF-8",
                                muster__quote(from->key).text);
    }
    option->key = copy_text(from->key, strlen(from->key));
    option->value = copy_text(value, strlen(value));
    uri->n_options++;
    return option->key != NULL && option->value != NULL ? MUSTER_OK
                                                        : MUSTER_NOMEM;
}

static int compare_options(const void *a, const void *b)
{
    return strcmp(((const muster_attribute *)a)->key,
                  ((const muster_attribute *)b)->key);
}

static muster_status sort_options(muster__uri *uri, muster_error *err)
{
    qsort(uri->options, uri->n_options, sizeof *uri->options, compare_options);
    for (uint32_t i = 1; i < uri->n_options; i++) {
        if (compare_options(&uri->options[i - 1], &uri->options[i]) == 0) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "option %s is given twice",
                                    muster__quote(uri->options[i].key).text);
        }
    }
    return MUSTER_OK;
}

static muster_status take_options(struct parse *parse, muster__uri *uri,
                                  muster_error *err)
{
    const UriTextRangeA *query = &parse->parsed.query;
    muster_status status = MUSTER_OK;
    int n = 0;

    if (query->first == NULL || query->first == query->afterLast) {
        return MUSTER_OK;
    }
    if (uriDissectQueryMallocExA(&parse->query, &n, query->first,
                                 query->afterLast, URI_FALSE,
                                 URI_BR_DONT_TOUCH) != URI_SUCCESS) {
        parse->query = NULL; /* uriparser has freed it, and left it there */
        return MUSTER_NOMEM;
    }
    uri->options = calloc((size_t)n + 1, sizeof *uri->options);
    if (uri->options == NULL) {
        return MUSTER_NOMEM;
    }
    for (const UriQueryListA *at = parse->query;
         at != NULL && status == MUSTER_OK; at = at->next) {
        status = take_option(at, uri, err);
    }
    return status == MUSTER_OK ? sort_options(uri, err) : status;
}

muster_status muster__uri_parse(const char *text, size_t scheme_length,
                                muster__uri *ret_uri, muster_error *err)
{
    struct parse parse = {0};
    muster__uri uri = {0};
    muster_status status = cut(text, scheme_length, &parse);

    if (status == MUSTER_OK) {
        status = take_authority(&parse, &uri, err);
    }
    if (status == MUSTER_OK) {
        status = parse_rest(&parse, err);
    }
    if (status == MUSTER_OK) {
        status = take_path(&parse, &uri, err);
    }
    if (status == MUSTER_OK) {
        status = take_options(&parse, &uri, err);
    }
    uriFreeQueryListA(parse.query);
    uriFreeUriMembersA(&parse.parsed);
    free(parse.text);
    free(parse.authority);
    if (status == MUSTER_OK) {
        *ret_uri = uri;
        return MUSTER_OK;
    }
    muster__uri_clear(&uri);
    return status == MUSTER_NOMEM
               ? muster_error_set(err, MUSTER_NOMEM, "out of memory")
               : status;
}

void muster__options_free(muster_attribute *options, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free((char *)options[i].key);
        free((char *)options[i].value);
    }
    free(options);
}

void muster__uri_clear(muster__uri *uri)
{
    muster__options_free(uri->options, uri->n_options);
    free(uri->path);
    free(uri->canonical_authority);
    free(uri->authority);
    memset(uri, 0, sizeof *uri);
}
