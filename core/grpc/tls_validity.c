/* SPDX-License-Identifier: Apache-2.0 */
/* From when to when a certificate is valid (RFC 5280, section 4.1). */
#include "tls_validity.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base64.h"

#define BEGIN "-----BEGIN CERTIFICATE-----"

enum { MAX_BYTES = 16 * 1024 };

/* Tags of DER (X.690). */
enum {
    SEQUENCE = 0x30,
    INTEGER = 0x02,
    VERSION = 0xa0,
    UTC_TIME = 0x17,
    GENERALIZED_TIME = 0x18
};

typedef struct bytes {
    const uint8_t *data;
    size_t length;
} bytes;

/* ---- DER ---- */

/* The length that begins at *rest, which moves behind it. */
static bool take_length(bytes *rest, size_t *ret_length)
{
    size_t length;
    size_t n_bytes;

    if (rest->length == 0) {
        return false;
    }
    length = *rest->data++;
    rest->length--;
    if (length >= 0x80) {
        n_bytes = length & 0x7f;
        if (n_bytes == 0 || n_bytes > 3 || n_bytes > rest->length) {
            return false;
        }
        for (length = 0; n_bytes > 0; n_bytes--) {
            length = length << 8 | *rest->data++;
            rest->length--;
        }
    }
    *ret_length = length;
    return length <= rest->length;
}

/* The value that begins at *rest, which moves behind it. */
static bool take(bytes *rest, uint8_t *ret_tag, bytes *ret_content)
{
    size_t length;

    if (rest->length == 0) {
        return false;
    }
    *ret_tag = *rest->data++;
    rest->length--;
    if (!take_length(rest, &length)) {
        return false;
    }
    ret_content->data = rest->data;
    ret_content->length = length;
    rest->data += length;
    rest->length -= length;
    return true;
}

static bool take_tagged(bytes *rest, uint8_t tag, bytes *ret_content)
{
    uint8_t found;

    return take(rest, &found, ret_content) && found == tag;
}

/* ---- times ---- */

/* "20261126042000Z", with the century as a certificate has it. */
static bool read_digits(uint8_t tag, bytes time, char digits[15])
{
    const size_t n_century = tag == UTC_TIME ? 2 : 0;

    if ((tag != UTC_TIME && tag != GENERALIZED_TIME) ||
        time.length != 15 - n_century || time.data[time.length - 1] != 'Z') {
        return false;
    }
    for (size_t i = 0; i < time.length - 1; i++) {
        if (time.data[i] < '0' || time.data[i] > '9') {
            return false;
        }
        digits[n_century + i] = (char)time.data[i];
    }
    if (tag == UTC_TIME) { /* 50 to 99 are of the last century */
        memcpy(digits, digits[2] >= '5' ? "19" : "20", 2);
    }
    return true;
}

static bool take_time(bytes *rest, char text[MUSTER__TLS_TIME_SIZE])
{
    static const char shape[MUSTER__TLS_TIME_SIZE] = "dddd-dd-dd dd:dd:dd";
    char digits[15];
    const char *digit = digits;
    bytes time;
    uint8_t tag;

    if (!take(rest, &tag, &time) || !read_digits(tag, time, digits)) {
        return false;
    }
    for (size_t i = 0; i < sizeof shape; i++) {
        text[i] = shape[i] == 'd' ? *digit++ : shape[i];
    }
    return true;
}

/* certificate: its signed part first, and in that: version, serial number,
 * algorithm, issuer, validity. */
static bool find_validity(bytes certificate, bytes *ret_validity)
{
    bytes all;
    bytes signed_part;
    bytes skipped;
    uint8_t tag;

    return take_tagged(&certificate, SEQUENCE, &all) &&
           take_tagged(&all, SEQUENCE, &signed_part) &&
           take(&signed_part, &tag, &skipped) &&
           (tag == INTEGER ||
            (tag == VERSION && take_tagged(&signed_part, INTEGER, &skipped))) &&
           take_tagged(&signed_part, SEQUENCE, &skipped) &&
           take_tagged(&signed_part, SEQUENCE, &skipped) &&
           take_tagged(&signed_part, SEQUENCE, ret_validity);
}

bool muster__tls_validity_read(const char *pem,
                               muster__tls_validity *ret_validity)
{
    const char *text = strstr(pem, BEGIN);
    const char *end;
    uint8_t data[MAX_BYTES];
    muster__tls_validity read;
    bytes validity;

    if (text == NULL) {
        return false;
    }
    const bytes certificate = {
        data,
        muster__base64_decode(text + strlen(BEGIN), data, sizeof data, &end)};
    if (!find_validity(certificate, &validity) ||
        !take_time(&validity, read.from) || !take_time(&validity, read.until)) {
        return false;
    }
    *ret_validity = read;
    return true;
}
