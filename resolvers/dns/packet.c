/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a reply: which of the three outcomes it is. */
#include "packet.h"

#include <stdio.h>
#include <stdlib.h>

#include "reply.h"

/* RFC 1035 section 4.1.1, RFC 2136 section 2.2. */
enum { CODE_NO_ERROR = 0, CODE_NO_SUCH_NAME = 3, CODE_REFUSED = 5 };
enum { CODE_NOT_AUTHORITY = 9 };

static unsigned code_of(const muster__dns_reply *reply)
{
    return reply->packet[3] & 0x0fU;
}

static muster__dns_trouble check_code(const muster__dns_reply *reply)
{
    static const char *const names[] = {
        "NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
        "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};
    unsigned code = code_of(reply);

    if (code == CODE_NO_ERROR || code == CODE_NO_SUCH_NAME) {
        return MUSTER__DNS_NO_TROUBLE;
    }
    if (code < sizeof names / sizeof names[0]) {
        (void)muster_error_set(reply->err, MUSTER_UNAVAILABLE, "%s",
                               names[code]);
    } else {
        (void)muster_error_set(reply->err, MUSTER_UNAVAILABLE, "rcode %u",
                               code);
    }
    return code == CODE_REFUSED || code == CODE_NOT_AUTHORITY
               ? MUSTER__DNS_REFUSED
               : MUSTER__DNS_SERVFAIL;
}

static muster__dns_trouble check_truncation(const muster__dns_reply *reply)
{
    if ((reply->packet[2] & 0x02) == 0) {
        return MUSTER__DNS_NO_TROUBLE;
    }
    return muster__dns_reply_malformed(reply, "the reply is truncated");
}

/* ---- denials ---- */

/* How long the SOA record of that index says that nothing will be there (RFC
 * 2308 section 5). */
static muster__dns_trouble read_denial(const muster__dns_reply *reply,
                                       size_t index, uint64_t *ret_ttl_s)
{
    enum { NUMBERS_SIZE = 20, MINIMUM = 16 };
    const muster__dns_record *record = &reply->records[index];
    size_t at = record->data;
    muster__dns_trouble trouble = muster__dns_name_skip(reply, index + 1, &at);

    if (trouble == MUSTER__DNS_NO_TROUBLE) {
        trouble = muster__dns_name_skip(reply, index + 1, &at);
    }
    if (trouble != MUSTER__DNS_NO_TROUBLE) {
        return trouble;
    }
    if (at + NUMBERS_SIZE != record->data + record->data_size) {
        return muster__dns_reply_fail(reply, index + 1, "data of a wrong size");
    }
    *ret_ttl_s = muster__dns_smaller(
        record->ttl_s, muster__dns_read_ttl(reply->packet + at + MINIMUM));
    return MUSTER__DNS_NO_TROUBLE;
}

/* The index of the SOA record of the authority section, or n_records. */
static size_t find_denial(const muster__dns_reply *reply)
{
    for (size_t i = reply->n_answers;
         i < reply->n_answers + reply->n_authorities; i++) {
        const muster__dns_record *record = &reply->records[i];

        if (record->type == MUSTER__DNS_SOA &&
            record->class_number == MUSTER__DNS_CLASS_IN) {
            return i;
        }
    }
    return reply->n_records;
}

static muster__dns_trouble make_denial(const muster__dns_reply *reply,
                                       uint64_t ttl_s,
                                       muster__dns_answer **ret_answer)
{
    muster__dns_answer *answer = calloc(1, sizeof *answer);

    if (answer == NULL) {
        return muster__dns_reply_out_of_memory(reply);
    }
    answer->n_references = 1;
    answer->type = reply->type;
    answer->outcome = MUSTER__DNS_NO_SUCH_NAME;
    answer->is_nxdomain = code_of(reply) == CODE_NO_SUCH_NAME;
    answer->ttl_s = ttl_s;
    *ret_answer = answer;
    return MUSTER__DNS_NO_TROUBLE;
}

/* Not a single record: a name that has none of the type (RFC 2308 section 2.2,
 * type 3), as forwarders say it that know a host's IPv4 address only. */
static bool is_bare(const muster__dns_reply *reply)
{
    return reply->n_answers == 0 && reply->n_authorities == 0;
}

/* There is nothing of the type. Without NXDOMAIN, that may as well be a
 * referral to other servers, unless a SOA record says that it is not (RFC 2308
 * section 2.2). */
static muster__dns_trouble deny(const muster__dns_reply *reply,
                                muster__dns_answer **ret_answer)
{
    size_t index = find_denial(reply);
    uint64_t ttl_s = UINT64_MAX;

    if (index < reply->n_records) {
        muster__dns_trouble trouble = read_denial(reply, index, &ttl_s);

        if (trouble != MUSTER__DNS_NO_TROUBLE) {
            return trouble;
        }
    } else if (code_of(reply) != CODE_NO_SUCH_NAME && !is_bare(reply)) {
        (void)muster_error_set(reply->err, MUSTER_PROTOCOL,
                               "neither %s records nor a SOA record that "
                               "denies them",
                               muster__dns_type_name(reply->type));
        return MUSTER__DNS_MALFORMED;
    }
    return make_denial(reply, muster__dns_smaller(ttl_s, reply->ttl_s),
                       ret_answer);
}

/* ---- the whole ---- */

static muster__dns_trouble conclude(muster__dns_reply *reply,
                                    muster__dns_answer **ret_answer)
{
    if (reply->n_matches == 0) {
        return deny(reply, ret_answer);
    }
    if (code_of(reply) == CODE_NO_SUCH_NAME) {
        (void)muster_error_set(reply->err, MUSTER_PROTOCOL,
                               "NXDOMAIN with %s records of the name",
                               muster__dns_type_name(reply->type));
        return MUSTER__DNS_MALFORMED;
    }
    return muster__dns_reply_answer(reply, ret_answer);
}

static muster__dns_trouble read_reply(muster__dns_reply *reply,
                                      muster__dns_answer **ret_answer)
{
    muster__dns_trouble trouble = muster__dns_reply_open(reply);

    if (trouble == MUSTER__DNS_NO_TROUBLE) {
        trouble = check_code(reply);
    }
    if (trouble == MUSTER__DNS_NO_TROUBLE) {
        trouble = check_truncation(reply);
    }
    if (trouble == MUSTER__DNS_NO_TROUBLE) {
        trouble = muster__dns_reply_read_records(reply);
    }
    if (trouble == MUSTER__DNS_NO_TROUBLE) {
        trouble = muster__dns_reply_follow(reply);
    }
    return trouble == MUSTER__DNS_NO_TROUBLE ? conclude(reply, ret_answer)
                                             : trouble;
}

muster__dns_outcome
muster__dns_packet_read(const uint8_t *packet, size_t size, const char *name,
                        muster__dns_type type, muster__dns_answer **ret_answer,
                        muster__dns_trouble *ret_trouble, muster_error *err)
{
    muster__dns_reply reply = {
        .packet = packet, .size = size, .name = name, .type = type, .err = err};
    muster__dns_answer *answer;
    muster__dns_trouble trouble = read_reply(&reply, &answer);

    muster__dns_reply_fini(&reply);
    if (trouble != MUSTER__DNS_NO_TROUBLE) {
        *ret_trouble = trouble;
        return MUSTER__DNS_UNKNOWN;
    }
    *ret_answer = answer;
    return answer->outcome;
}
