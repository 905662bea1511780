/* SPDX-License-Identifier: Apache-2.0 */
/* Reads JSON values by the rules of proto3 JSON. */
#include "value.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include <json_duration.h>
#include <json_error.h>
#include <status_code_name.h>

const json_t *muster__config_get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

bool muster__config_is_object(muster__problems *problems, const json_t *value)
{
    if (!json_is_object(value)) {
        muster__problems_add(problems, "must be an object");
        return false;
    }
    return true;
}

bool muster__config_is_array(muster__problems *problems, const json_t *value)
{
    if (!json_is_array(value)) {
        muster__problems_add(problems, "must be an array");
        return false;
    }
    return true;
}

bool muster__config_is_string(muster__problems *problems, const json_t *value)
{
    if (!json_is_string(value)) {
        muster__problems_add(problems, "must be a string");
        return false;
    }
    return true;
}

bool muster__config_bool(muster__problems *problems, const json_t *value,
                         bool *ret_value)
{
    if (!json_is_boolean(value)) {
        muster__problems_add(problems, "must be true or false");
        return false;
    }
    *ret_value = json_is_true(value);
    return true;
}

/* ---- numbers ---- */

/* What is in a string is read by the grammar of JSON too: so locales do not
 * matter, and neither hexadecimals nor blanks pass. */
static bool read_text(muster__problems *problems, const char *text,
                      double *ret_value)
{
    json_error_t error;
    json_t *number;
    bool is_number;

    if ((text[0] != '-' && (text[0] < '0' || text[0] > '9')) ||
        strpbrk(text, " \t\r\n") != NULL) {
        return false;
    }
    errno = 0;
    number = json_loads(text, JSON_DECODE_ANY, &error);
    is_number = json_is_number(number);
    if (is_number) {
        *ret_value = json_number_value(number);
    } else if (number == NULL && muster__json_is_out_of_memory(&error)) {
        problems->is_out_of_memory = true;
    }
    json_decref(number);
    return is_number;
}

static bool read_number(muster__problems *problems, const json_t *value,
                        double *ret_value)
{
    if (json_is_string(value)) {
        return read_text(problems, json_string_value(value), ret_value);
    }
    if (json_is_number(value)) {
        *ret_value = json_number_value(value);
    }
    return json_is_number(value);
}

bool muster__config_number(muster__problems *problems, const json_t *value,
                           double *ret_value)
{
    if (!read_number(problems, value, ret_value)) {
        muster__problems_add(problems, "must be a number");
        return false;
    }
    return true;
}

bool muster__config_integer(muster__problems *problems, const json_t *value,
                            uint64_t max, uint64_t *ret_value)
{
    double number = -1;

    if (!read_number(problems, value, &number) || number < 0 ||
        number > (double)max || floor(number) != number) {
        muster__problems_add(problems,
                             "must be a whole number from 0 to "
                             "%" JSON_INTEGER_FORMAT,
                             (json_int_t)max);
        return false;
    }
    *ret_value = (uint64_t)number;
    return true;
}

/* ---- durations ---- */

bool muster__config_duration(muster__problems *problems, const json_t *value,
                             uint64_t *ret_ns)
{
    const char *text = json_string_value(value);

    if (text == NULL || !muster__json_duration(text, ret_ns)) {
        muster__problems_add(problems, "must be a duration like \"1.5s\"");
        return false;
    }
    return true;
}

/* ---- status codes ---- */

/* gRFC A6: an integer, or a name in any case. -1: it is no code. */
static int read_code(const json_t *value)
{
    const char *text = json_string_value(value);
    double number = -1;

    for (int i = 0; text != NULL && i < MUSTER__N_STATUS_CODES; i++) {
        if (strcasecmp(text, muster__status_code_name(i)) == 0) {
            return i;
        }
    }
    if (!json_is_number(value)) {
        return -1;
    }
    number = json_number_value(value);
    return number >= 0 && number < MUSTER__N_STATUS_CODES &&
                   floor(number) == number
               ? (int)number
               : -1;
}

bool muster__config_codes(muster__problems *problems, const json_t *value,
                          uint32_t *ret_codes)
{
    uint32_t codes = 0;
    bool is_good = muster__config_is_array(problems, value);

    for (size_t i = 0; is_good && i < json_array_size(value); i++) {
        int code = read_code(json_array_get(value, i));

        if (code < 0) {
            size_t mark = muster__problems_enter_index(problems, i);
            muster__problems_add(problems, "must be a gRPC status code, by "
                                           "name or number");
            muster__problems_leave(problems, mark);
            is_good = false;
        } else {
            codes |= UINT32_C(1) << code;
        }
    }
    if (is_good) {
        *ret_codes = codes;
    }
    return is_good;
}
