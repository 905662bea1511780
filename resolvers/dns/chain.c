/* SPDX-License-Identifier: Apache-2.0 */
/* The way from the name through CNAME records to what was asked for (RFC 1034
 * section 3.6.2). */
#include "reply.h"

#include <stdio.h>
#include <string.h>

enum { LINKS_MAX = 64 };

static void mark_match(muster__dns_reply *reply, muster__dns_record *record)
{
    record->is_match = true;
    reply->n_matches++;
    reply->ttl_s = muster__dns_smaller(reply->ttl_s, record->ttl_s);
}

/* Marks what owner has of the type; its first CNAME record, or NULL. */
static muster__dns_record *visit(muster__dns_reply *reply, const char *owner)
{
    muster__dns_record *link = NULL;

    for (size_t i = 0; i < reply->n_answers; i++) {
        muster__dns_record *record = &reply->records[i];

        if (record->owner == NULL || strcmp(record->owner, owner) != 0) {
            continue;
        }
        record->is_on_chain = true;
        if (record->type == (uint16_t)reply->type) {
            mark_match(reply, record);
        } else if (link == NULL) {
            link = record;
        }
    }
    return link;
}

/* owner becomes what link says it stands for. */
static muster__dns_trouble pass(muster__dns_reply *reply,
                                muster__dns_record *link, char *owner)
{
    size_t number = (size_t)(link - reply->records) + 1;
    size_t at = link->data;
    muster__dns_trouble trouble =
        muster__dns_name_read(reply, number, &at, owner);

    if (trouble != MUSTER__DNS_NO_TROUBLE) {
        return trouble;
    }
    if (at != link->data + link->data_size) {
        return muster__dns_reply_fail(reply, number, "data of a wrong size");
    }
    link->is_followed = true;
    reply->ttl_s = muster__dns_smaller(reply->ttl_s, link->ttl_s);
    return MUSTER__DNS_NO_TROUBLE;
}

/* At the end of a chain with nothing there: no server that means "none" sends
 * records which lead elsewhere. */
static muster__dns_trouble check_strays(const muster__dns_reply *reply)
{
    for (size_t i = 0; i < reply->n_answers; i++) {
        const muster__dns_record *record = &reply->records[i];

        if (record->type != (uint16_t)reply->type &&
            record->type != MUSTER__DNS_CNAME) {
            continue;
        }
        if (record->class_number != MUSTER__DNS_CLASS_IN) {
            return muster__dns_reply_malformed(
                reply, "the records are of a wrong class");
        }
        if (!record->is_on_chain) {
            return muster__dns_reply_malformed(
                reply, "the records are of another name");
        }
    }
    return MUSTER__DNS_NO_TROUBLE;
}

muster__dns_trouble muster__dns_reply_follow(muster__dns_reply *reply)
{
    muster__dns_trouble trouble = MUSTER__DNS_NO_TROUBLE;
    char owner[MUSTER__DNS_NAME_SIZE];

    (void)snprintf(owner, sizeof owner, "%s", reply->name);
    reply->ttl_s = UINT64_MAX;
    for (unsigned n_links = 0; trouble == MUSTER__DNS_NO_TROUBLE; n_links++) {
        muster__dns_record *link = visit(reply, owner);

        if (reply->n_matches > 0) {
            return MUSTER__DNS_NO_TROUBLE;
        }
        if (link == NULL) {
            return check_strays(reply);
        }
        if (link->is_followed) {
            return muster__dns_reply_malformed(
                reply, "the CNAME records go in a circle");
        }
        if (n_links == LINKS_MAX) {
            return muster__dns_reply_malformed(
                reply, "a chain of over 64 CNAME records");
        }
        trouble = pass(reply, link, owner);
    }
    return trouble;
}
