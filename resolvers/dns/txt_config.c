/* SPDX-License-Identifier: Apache-2.0 */
/* Service config in TXT records (gRFC A2): a list of choices, each with what it
 * asks of a client; the first that fits wins. All of them are checked before
 * one is taken, so that a mistake shows everywhere and not at some clients. */
#include "txt_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include <json_error.h>
#include <text.h>

/* RFC 1464. Values are 64 KiB at most, as are TXT records. */
#define ATTRIBUTE "grpc_config="

enum { VALUE_MAX = 64 * 1024 };

static muster_status fail(size_t index, const char *field, const char *expected,
                          const json_t *got, muster_error *err)
{
    static const char *const names[] = {"an object", "an array", "a string",
                                        "a number",  "a number", "true",
                                        "false",     "null"};

    return muster_error_set(err, MUSTER_INVAL,
                            "grpc_config[%zu]%s%s: expected %s, got %s", index,
                            *field != '\0' ? "." : "", field, expected,
                            got != NULL ? names[json_typeof(got)] : "nothing");
}

/* ---- what is well-formed ---- */

static muster_status check_strings(size_t index, const char *field,
                                   const json_t *value, muster_error *err)
{
    if (!json_is_array(value)) {
        return fail(index, field, "an array of strings", value, err);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i);

        if (!json_is_string(one)) {
            return fail(index, field, "an array of strings only", one, err);
        }
    }
    return MUSTER_OK;
}

static muster_status check_percentage(size_t index, const json_t *value,
                                      muster_error *err)
{
    json_int_t percentage = json_integer_value(value);

    if (!json_is_integer(value)) {
        return fail(index, "percentage", "a whole number from 0 to 100", value,
                    err);
    }
    if (percentage < 0 || percentage > 100) {
        return muster_error_set(err, MUSTER_INVAL,
                                "grpc_config[%zu].percentage: expected a whole "
                                "number from 0 to 100, got "
                                "%" JSON_INTEGER_FORMAT,
                                index, percentage);
    }
    return MUSTER_OK;
}

static muster_status check_field(size_t index, const char *key,
                                 const json_t *value, muster_error *err)
{
    if (strcmp(key, "clientLanguage") == 0 ||
        strcmp(key, "clientHostname") == 0) {
        return check_strings(index, key, value, err);
    }
    if (strcmp(key, "percentage") == 0) {
        return check_percentage(index, value, err);
    }
    if (strcmp(key, "serviceConfig") == 0) {
        return json_is_object(value)
                   ? MUSTER_OK
                   : fail(index, key, "an object", value, err);
    }
    return muster_error_set(err, MUSTER_INVAL,
                            "grpc_config[%zu]: unknown key %s; expected "
                            "clientLanguage, percentage, clientHostname or "
                            "serviceConfig",
                            index, muster__quote(key).text);
}

static muster_status check_choice(size_t index, json_t *choice,
                                  muster_error *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(choice)) {
        return fail(index, "", "an object", choice, err);
    }
    json_object_foreach(choice, key, value)
    {
        muster_status status = check_field(index, key, value, err);

        if (status != MUSTER_OK) {
            return status;
        }
    }
    return json_object_get(choice, "serviceConfig") != NULL
               ? MUSTER_OK
               : fail(index, "serviceConfig", "an object", NULL, err);
}

static muster_status check_choices(const json_t *choices, muster_error *err)
{
    muster_status status = MUSTER_OK;

    if (!json_is_array(choices)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "grpc_config: expected an array of choices");
    }
    for (size_t i = 0; i < json_array_size(choices) && status == MUSTER_OK;
         i++) {
        status = check_choice(i, json_array_get(choices, i), err);
    }
    return status;
}

/* ---- what fits ---- */

/* Whether value is among list; one that is absent or empty asks for nothing. */
static bool is_among(const json_t *list, const char *value)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcasecmp(json_string_value(json_array_get(list, i)), value) ==
            0) {
            return true;
        }
    }
    return json_array_size(list) == 0;
}

static bool fits(const json_t *choice, const muster__dns_client *client)
{
    const json_t *languages = json_object_get(choice, "clientLanguage");
    const json_t *percentage = json_object_get(choice, "percentage");
    const json_t *hostnames = json_object_get(choice, "clientHostname");

    /* gRPC's own resolver is C++ and goes by that name. */
    return (is_among(languages, "c") || is_among(languages, "c++")) &&
           (percentage == NULL ||
            (json_int_t)client->percentile < json_integer_value(percentage)) &&
           is_among(hostnames, client->hostname);
}

static muster_status choose(const json_t *choices,
                            const muster__dns_client *client, char **ret_json,
                            muster_error *err)
{
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const json_t *choice = json_array_get(choices, i);
        char *text;

        if (!fits(choice, client)) {
            continue;
        }
        text = json_dumps(json_object_get(choice, "serviceConfig"),
                          JSON_COMPACT | JSON_SORT_KEYS);
        if (text == NULL) {
            return muster_error_set(err, MUSTER_NOMEM, "out of memory");
        }
        *ret_json = text;
        return MUSTER_OK;
    }
    *ret_json = NULL;
    return MUSTER_OK;
}

/* ---- the whole ---- */

static bool is_text(char c)
{
    return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\r' || c == '\n';
}

static muster_status check_value(const char *value, size_t length,
                                 muster_error *err)
{
    if (length > VALUE_MAX) {
        return muster_error_set(err, MUSTER_INVAL,
                                "grpc_config: %zu bytes; at most %d", length,
                                VALUE_MAX);
    }
    for (size_t i = 0; i < length; i++) {
        if (!is_text(value[i])) {
            return muster_error_set(err, MUSTER_INVAL,
                                    "grpc_config, byte %zu: 0x%02x is not "
                                    "ASCII text",
                                    i + 1, (unsigned)(unsigned char)value[i]);
        }
    }
    return MUSTER_OK;
}

static muster_status parse(const char *value, json_t **ret_choices,
                           muster_error *err)
{
    json_error_t error;

    errno = 0;
    *ret_choices =
        json_loadb(value, strlen(value), JSON_REJECT_DUPLICATES, &error);
    if (*ret_choices != NULL) {
        return MUSTER_OK;
    }
    if (muster__json_is_out_of_memory(&error)) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return muster_error_set(err, MUSTER_INVAL,
                            "grpc_config, line %d, column %d: %s; expected "
                            "JSON",
                            error.line, error.column, error.text);
}

static const char *find_value(const char *const *texts, size_t n_texts)
{
    for (size_t i = 0; i < n_texts; i++) {
        if (strncmp(texts[i], ATTRIBUTE, strlen(ATTRIBUTE)) == 0) {
            return texts[i] + strlen(ATTRIBUTE);
        }
    }
    return NULL;
}

muster_status muster__dns_txt_config(const char *const *texts, size_t n_texts,
                                     const muster__dns_client *client,
                                     char **ret_json, muster_error *err)
{
    const char *value = find_value(texts, n_texts);
    json_t *choices;
    muster_status status;

    if (value == NULL) {
        *ret_json = NULL;
        return MUSTER_OK;
    }
    status = check_value(value, strlen(value), err);
    if (status == MUSTER_OK) {
        status = parse(value, &choices, err);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    status = check_choices(choices, err);
    if (status == MUSTER_OK) {
        status = choose(choices, client, ret_json, err);
    }
    json_decref(choices);
    return status;
}
