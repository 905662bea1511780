/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a packet (RFC 1035 section 4.1.4). c-ares expands them. What it gets
 * is checked before: versions of it follow as many pointers as a packet can
 * hold, once a record, which may take seconds; and it does not say what is
 * wrong with a name. */
#include "reply.h"

#include <ares.h>
#include <string.h>

/* Bytes of a name (section 2.3.4), and pointers that c-ares 1.18 follows. */
enum { LENGTH_MAX = 255, POINTERS_MAX = 50 };

enum { LABEL_KIND = 0xc0, LABEL_POINTER = 0xc0 };

static const char *const CUT_SHORT = "the reply is cut short";

/* What is wrong with the name at at, or NULL. */
static const char *check(const muster__dns_reply *reply, size_t at,
                         size_t *ret_behind)
{
    size_t behind = 0; /* known from the first pointer on */
    size_t n_pointers = 0;
    size_t length = 0;

    for (;;) {
        uint8_t byte;

        if (at >= reply->size) {
            return n_pointers == 0 ? CUT_SHORT
                                   : "a name points past the end of the reply";
        }
        byte = reply->packet[at];
        if ((byte & LABEL_KIND) == LABEL_POINTER) {
            if (reply->size - at < 2) {
                return CUT_SHORT;
            }
            behind = n_pointers == 0 ? at + 2 : behind;
            at = muster__dns_read_16(reply->packet + at) & 0x3fff;
            if (++n_pointers > POINTERS_MAX) {
                return "a name with over 50 compression pointers";
            }
            continue;
        }
        if ((byte & LABEL_KIND) != 0) {
            return "a name with a label of unknown kind";
        }
        at += 1U + byte;
        length += 1U + byte;
        if (length > LENGTH_MAX) {
            return "a name of over 255 bytes";
        }
        if (byte == 0) {
            *ret_behind = n_pointers == 0 ? at : behind;
            return NULL;
        }
    }
}

muster__dns_trouble muster__dns_name_skip(const muster__dns_reply *reply,
                                          size_t number, size_t *at)
{
    const char *fault = check(reply, *at, at);

    return fault == NULL ? MUSTER__DNS_NO_TROUBLE
                         : muster__dns_reply_fail(reply, number, fault);
}

static void to_lower(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z') {
            *text = (char)(*text - 'A' + 'a');
        }
    }
}

muster__dns_trouble muster__dns_name_read(const muster__dns_reply *reply,
                                          size_t number, size_t *at, char *name)
{
    const uint8_t *encoded = reply->packet + *at;
    muster__dns_trouble trouble = muster__dns_name_skip(reply, number, at);
    char *text;
    long encoded_size;
    int code;

    if (trouble != MUSTER__DNS_NO_TROUBLE) {
        return trouble;
    }
    code = ares_expand_name(encoded, reply->packet, (int)reply->size, &text,
                            &encoded_size);
    if (code == ARES_ENOMEM) {
        return muster__dns_reply_out_of_memory(reply);
    }
    if (code != ARES_SUCCESS) {
        return muster__dns_reply_fail(reply, number, "a bad name");
    }
    /* Escapes may make it longer than it is in the packet. */
    if (strlen(text) >= MUSTER__DNS_NAME_SIZE) {
        ares_free_string(text);
        return muster__dns_reply_fail(reply, number, "too long a name");
    }
    memcpy(name, text, strlen(text) + 1);
    ares_free_string(text);
    to_lower(name);
    return MUSTER__DNS_NO_TROUBLE;
}
