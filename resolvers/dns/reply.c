/* SPDX-License-Identifier: Apache-2.0 */
/* Header, question and records of a reply (RFC 1035 section 4). */
#include "reply.h"

#include <stdlib.h>
#include <string.h>

enum {
    HEADER_SIZE = 12,
    QUESTION_TAIL = 4,   /* type and class, after the name */
    RECORD_TAIL = 10,    /* type, class, TTL and size of the data */
    RECORD_SIZE_MIN = 11 /* the root's, without data */
};

muster__dns_trouble muster__dns_reply_malformed(const muster__dns_reply *reply,
                                                const char *what)
{
    (void)muster_error_set(reply->err, MUSTER_PROTOCOL, "%s", what);
    return MUSTER__DNS_MALFORMED;
}

muster__dns_trouble muster__dns_reply_fail(const muster__dns_reply *reply,
                                           size_t number, const char *what)
{
    if (number == 0) {
        (void)muster_error_set(reply->err, MUSTER_PROTOCOL,
                               "%s in the question", what);
    } else {
        (void)muster_error_set(reply->err, MUSTER_PROTOCOL,
                               "%s in record %zu of %zu", what, number,
                               reply->n_claimed);
    }
    return MUSTER__DNS_MALFORMED;
}

muster__dns_trouble
muster__dns_reply_out_of_memory(const muster__dns_reply *reply)
{
    (void)muster_error_set(reply->err, MUSTER_NOMEM, "out of memory");
    return MUSTER__DNS_LOCAL;
}

/* ---- header and question ---- */

static muster__dns_trouble check_question(const muster__dns_reply *reply,
                                          const char *name, const uint8_t *tail)
{
    if (strcmp(name, reply->name) != 0 ||
        muster__dns_read_16(tail) != (uint16_t)reply->type ||
        muster__dns_read_16(tail + 2) != MUSTER__DNS_CLASS_IN) {
        return muster__dns_reply_malformed(reply,
                                           "the reply is to another question");
    }
    return MUSTER__DNS_NO_TROUBLE;
}

static muster__dns_trouble read_question(muster__dns_reply *reply)
{
    unsigned n_questions = muster__dns_read_16(reply->packet + 4);
    char name[MUSTER__DNS_NAME_SIZE];
    muster__dns_trouble trouble;

    reply->at = HEADER_SIZE;
    if (n_questions == 0) {
        return MUSTER__DNS_NO_TROUBLE;
    }
    if (n_questions > 1) {
        (void)muster_error_set(reply->err, MUSTER_PROTOCOL,
                               "the reply is to %u questions", n_questions);
        return MUSTER__DNS_MALFORMED;
    }
    trouble = muster__dns_name_read(reply, 0, &reply->at, name);
    if (trouble != MUSTER__DNS_NO_TROUBLE) {
        return trouble;
    }
    if (reply->size - reply->at < QUESTION_TAIL) {
        return muster__dns_reply_fail(reply, 0, "the reply is cut short");
    }
    reply->at += QUESTION_TAIL;
    return check_question(reply, name,
                          reply->packet + reply->at - QUESTION_TAIL);
}

muster__dns_trouble muster__dns_reply_open(muster__dns_reply *reply)
{
    if (reply->size < HEADER_SIZE) {
        return muster__dns_reply_malformed(
            reply, "the reply is cut short in its header");
    }
    if (reply->size > UINT16_MAX) {
        (void)muster_error_set(reply->err, MUSTER_PROTOCOL,
                               "the reply has %zu bytes; at most 65535",
                               reply->size);
        return MUSTER__DNS_MALFORMED;
    }
    if ((reply->packet[2] & 0x80) == 0) {
        return muster__dns_reply_malformed(
            reply, "the packet is no reply, but a question");
    }
    return read_question(reply);
}

/* ---- records ---- */

static muster__dns_trouble read_tail(muster__dns_reply *reply, size_t number,
                                     muster__dns_record *record)
{
    const uint8_t *tail = reply->packet + reply->at;

    if (reply->size - reply->at < RECORD_TAIL) {
        return muster__dns_reply_fail(reply, number, "the reply is cut short");
    }
    record->type = muster__dns_read_16(tail);
    record->class_number = muster__dns_read_16(tail + 2);
    record->ttl_s = muster__dns_read_ttl(tail + 4);
    record->data_size = muster__dns_read_16(tail + 8);
    record->data = reply->at + RECORD_TAIL;
    if (reply->size - record->data < record->data_size) {
        return muster__dns_reply_fail(reply, number, "the reply is cut short");
    }
    reply->at = record->data + record->data_size;
    return MUSTER__DNS_NO_TROUBLE;
}

/* Whether anybody compares the owner of the record of that index. */
static bool needs_owner(const muster__dns_reply *reply, size_t index,
                        const muster__dns_record *record)
{
    if (record->class_number != MUSTER__DNS_CLASS_IN) {
        return false;
    }
    if (index < reply->n_answers) {
        return record->type == (uint16_t)reply->type ||
               record->type == MUSTER__DNS_CNAME;
    }
    return index >= reply->n_answers + reply->n_authorities &&
           reply->type == MUSTER__DNS_SRV &&
           (record->type == MUSTER__DNS_A || record->type == MUSTER__DNS_AAAA);
}

static muster__dns_trouble read_owner(const muster__dns_reply *reply,
                                      size_t number, size_t at,
                                      muster__dns_record *record)
{
    char name[MUSTER__DNS_NAME_SIZE];
    muster__dns_trouble trouble =
        muster__dns_name_read(reply, number, &at, name);

    if (trouble != MUSTER__DNS_NO_TROUBLE) {
        return trouble;
    }
    record->owner = strdup(name);
    return record->owner != NULL ? MUSTER__DNS_NO_TROUBLE
                                 : muster__dns_reply_out_of_memory(reply);
}

/* Each owner is expanded here and never again: a chain compares it often. */
static muster__dns_trouble read_record(muster__dns_reply *reply)
{
    size_t number = reply->n_records + 1;
    size_t owner_at = reply->at;
    muster__dns_record record = {0};
    muster__dns_trouble trouble =
        muster__dns_name_skip(reply, number, &reply->at);

    if (trouble == MUSTER__DNS_NO_TROUBLE) {
        trouble = read_tail(reply, number, &record);
    }
    if (trouble == MUSTER__DNS_NO_TROUBLE &&
        needs_owner(reply, reply->n_records, &record)) {
        trouble = read_owner(reply, number, owner_at, &record);
    }
    if (trouble == MUSTER__DNS_NO_TROUBLE) {
        reply->records[reply->n_records++] = record;
    }
    return trouble;
}

muster__dns_trouble muster__dns_reply_read_records(muster__dns_reply *reply)
{
    muster__dns_trouble trouble = MUSTER__DNS_NO_TROUBLE;
    size_t room = reply->size / RECORD_SIZE_MIN; /* whatever the header says */

    reply->n_answers = muster__dns_read_16(reply->packet + 6);
    reply->n_authorities = muster__dns_read_16(reply->packet + 8);
    reply->n_claimed = reply->n_answers + reply->n_authorities +
                       muster__dns_read_16(reply->packet + 10);
    room = reply->n_claimed < room ? reply->n_claimed : room;
    reply->records = calloc(room + 1, sizeof *reply->records);
    if (reply->records == NULL) {
        return muster__dns_reply_out_of_memory(reply);
    }
    while (trouble == MUSTER__DNS_NO_TROUBLE &&
           reply->n_records < reply->n_claimed) {
        trouble = read_record(reply);
    }
    return trouble;
}

void muster__dns_reply_fini(muster__dns_reply *reply)
{
    for (size_t i = 0; i < reply->n_records; i++) {
        free(reply->records[i].owner);
    }
    free(reply->records);
}
