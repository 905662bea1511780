/* SPDX-License-Identifier: Apache-2.0 */
/* The data of records, as an answer. */
#include "reply.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>

static muster__dns_trouble wrong_size(const muster__dns_reply *reply,
                                      size_t index)
{
    return muster__dns_reply_fail(reply, index + 1, "data of a wrong size");
}

static muster__dns_trouble read_address(const muster__dns_reply *reply,
                                        size_t index,
                                        muster__dns_address *address)
{
    const muster__dns_record *record = &reply->records[index];
    size_t size = record->type == MUSTER__DNS_A ? 4 : 16;

    if (record->data_size != size) {
        return wrong_size(reply, index);
    }
    address->size = (uint8_t)size;
    memcpy(address->bytes, reply->packet + record->data, size);
    return MUSTER__DNS_NO_TROUBLE;
}

/* RFC 2782. Nothing can be called at port 0, unless the target is ".": then the
 * record says that there is no such service. */
static muster__dns_trouble read_service(const muster__dns_reply *reply,
                                        size_t index,
                                        muster__dns_answer *answer)
{
    enum { NUMBERS_SIZE = 6 };
    const muster__dns_record *record = &reply->records[index];
    const uint8_t *data = reply->packet + record->data;
    muster__dns_service *service = &answer->services[answer->n];
    size_t at = record->data + NUMBERS_SIZE;
    char target[MUSTER__DNS_NAME_SIZE];
    muster__dns_trouble trouble;

    if (record->data_size <= NUMBERS_SIZE) {
        return wrong_size(reply, index);
    }
    trouble = muster__dns_name_read(reply, index + 1, &at, target);
    if (trouble != MUSTER__DNS_NO_TROUBLE) {
        return trouble;
    }
    if (at != record->data + record->data_size) {
        return wrong_size(reply, index);
    }
    service->priority = muster__dns_read_16(data);
    service->weight = muster__dns_read_16(data + 2);
    service->port = muster__dns_read_16(data + 4);
    if (service->port == 0 && *target != '\0') {
        return MUSTER__DNS_NO_TROUBLE;
    }
    service->target = strdup(target);
    if (service->target == NULL) {
        return muster__dns_reply_out_of_memory(reply);
    }
    answer->n++;
    return MUSTER__DNS_NO_TROUBLE;
}

/* Appends the string at at, of data up to end, to text and moves both on. */
static muster__dns_trouble append_string(const muster__dns_reply *reply,
                                         size_t index, size_t *at, size_t end,
                                         char **text)
{
    size_t length = reply->packet[*at];
    unsigned char *string;
    long encoded_size;
    int code;

    if (length >= end - *at) {
        return wrong_size(reply, index);
    }
    if (length == 0) { /* a packet may hold 64 000 such; worth no call */
        *at += 1;
        return MUSTER__DNS_NO_TROUBLE;
    }
    code = ares_expand_string(reply->packet + *at, reply->packet,
                              (int)reply->size, &string, &encoded_size);
    if (code == ARES_ENOMEM) {
        return muster__dns_reply_out_of_memory(reply);
    }
    if (code != ARES_SUCCESS) {
        return muster__dns_reply_fail(reply, index + 1, "a bad string");
    }
    memcpy(*text, string, length);
    ares_free_string(string);
    *text += length;
    *at += 1 + length;
    return MUSTER__DNS_NO_TROUBLE;
}

/* The strings of a record joined (gRFC A2, as RFC 7208 section 3.3 does). Who
 * reads it stops at a NUL in it. */
static muster__dns_trouble read_text(const muster__dns_reply *reply,
                                     size_t index, muster__dns_answer *answer)
{
    const muster__dns_record *record = &reply->records[index];
    muster__dns_trouble trouble = MUSTER__DNS_NO_TROUBLE;
    size_t at = record->data;
    size_t end = record->data + record->data_size;
    char *text;

    if (record->data_size == 0) {
        return wrong_size(reply, index);
    }
    /* Each string has a byte of length, so there is room for the NUL. */
    text = calloc(1, record->data_size);
    if (text == NULL) {
        return muster__dns_reply_out_of_memory(reply);
    }
    answer->texts[answer->n++] = text;
    while (at < end && trouble == MUSTER__DNS_NO_TROUBLE) {
        trouble = append_string(reply, index, &at, end, &text);
    }
    return trouble;
}

static muster__dns_trouble read_match(const muster__dns_reply *reply,
                                      size_t index, muster__dns_answer *answer)
{
    switch (reply->type) {
    case MUSTER__DNS_SRV:
        return read_service(reply, index, answer);
    case MUSTER__DNS_TXT:
        return read_text(reply, index, answer);
    case MUSTER__DNS_A:
    case MUSTER__DNS_AAAA:
        break;
    }
    return read_address(reply, index, &answer->addresses[answer->n++]);
}

static bool allocate(muster__dns_answer *answer, size_t n)
{
    switch (answer->type) {
    case MUSTER__DNS_SRV:
        answer->services = calloc(n, sizeof *answer->services);
        return answer->services != NULL;
    case MUSTER__DNS_TXT:
        answer->texts = calloc(n, sizeof *answer->texts);
        return answer->texts != NULL;
    case MUSTER__DNS_A:
    case MUSTER__DNS_AAAA:
        break;
    }
    answer->addresses = calloc(n, sizeof *answer->addresses);
    return answer->addresses != NULL;
}

static muster__dns_trouble read_matches(const muster__dns_reply *reply,
                                        muster__dns_answer *answer)
{
    muster__dns_trouble trouble = MUSTER__DNS_NO_TROUBLE;

    if (!allocate(answer, reply->n_matches)) {
        return muster__dns_reply_out_of_memory(reply);
    }
    for (size_t i = 0;
         i < reply->n_answers && trouble == MUSTER__DNS_NO_TROUBLE; i++) {
        if (reply->records[i].is_match) {
            trouble = read_match(reply, i, answer);
        }
    }
    if (trouble == MUSTER__DNS_NO_TROUBLE && answer->n == 0) {
        return muster__dns_reply_malformed(reply, "port 0 in every SRV record");
    }
    return trouble;
}

/* Takes the record's owner. */
static muster__dns_trouble read_extra(const muster__dns_reply *reply,
                                      size_t index, muster__dns_answer *answer)
{
    muster__dns_record *record = &reply->records[index];
    muster__dns_extra *extra = &answer->extras[answer->n_extras++];

    extra->owner = record->owner;
    record->owner = NULL;
    extra->ttl_s = record->ttl_s;
    return read_address(reply, index, &extra->address);
}

/* Of the additional section, only what extras are made of has an owner. */
static muster__dns_trouble read_extras(const muster__dns_reply *reply,
                                       muster__dns_answer *answer)
{
    muster__dns_trouble trouble = MUSTER__DNS_NO_TROUBLE;
    size_t first = reply->n_answers + reply->n_authorities;
    size_t n = 0;

    for (size_t i = first; i < reply->n_records; i++) {
        n += reply->records[i].owner != NULL;
    }
    if (n == 0) {
        return MUSTER__DNS_NO_TROUBLE;
    }
    answer->extras = calloc(n, sizeof *answer->extras);
    if (answer->extras == NULL) {
        return muster__dns_reply_out_of_memory(reply);
    }
    for (size_t i = first;
         i < reply->n_records && trouble == MUSTER__DNS_NO_TROUBLE; i++) {
        if (reply->records[i].owner != NULL) {
            trouble = read_extra(reply, i, answer);
        }
    }
    return trouble;
}

muster__dns_trouble muster__dns_reply_answer(muster__dns_reply *reply,
                                             muster__dns_answer **ret_answer)
{
    muster__dns_answer *answer = calloc(1, sizeof *answer);
    muster__dns_trouble trouble;

    if (answer == NULL) {
        return muster__dns_reply_out_of_memory(reply);
    }
    answer->n_references = 1;
    answer->type = reply->type;
    answer->outcome = MUSTER__DNS_ANSWER;
    answer->ttl_s = reply->ttl_s;
    trouble = read_matches(reply, answer);
    if (trouble == MUSTER__DNS_NO_TROUBLE) {
        trouble = read_extras(reply, answer);
    }
    if (trouble != MUSTER__DNS_NO_TROUBLE) {
        muster__dns_answer_unref(answer);
        return trouble;
    }
    *ret_answer = answer;
    return MUSTER__DNS_NO_TROUBLE;
}
