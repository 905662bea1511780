/* SPDX-License-Identifier: Apache-2.0 */
/* Writes replies, with the faults that are asked for. */
#include "dns_reply.h"

#include <stdio.h>
#include <string.h>

#define N_SECTIONS 3

enum { TEXT_SIZE = 64 };

typedef struct reply {
    const dns_rule *rule;
    const dns_question *question;
    dns_writer writer;
    uint16_t counts[N_SECTIONS];
} reply;

/* ---- records ---- */

/* The owner where a record has none. A pointer would lead to what is written
 * as the question. */
static const char *default_owner(const reply *self)
{
    if ((self->rule->faults & DNS_WRONG_OWNER) != 0) {
        return "wrong.owner.test";
    }
    if ((self->rule->faults & (DNS_WRONG_QUESTION | DNS_NO_QUESTION)) != 0) {
        return self->question->name;
    }
    return NULL;
}

static bool add(reply *self, dns_record record)
{
    if (record.owner == NULL) {
        record.owner = default_owner(self);
    }
    if ((self->rule->faults & DNS_WRONG_CLASS) != 0) {
        record.class_ = DNS_CLASS_CHAOS;
    }
    if (!dns_write_record(&self->writer, &record)) {
        dns_add_flags(&self->writer, DNS_FLAG_TRUNCATED);
        return false;
    }
    dns_set_records(&self->writer, record.section,
                    ++self->counts[record.section]);
    return true;
}

static size_t halved(const reply *self, size_t n)
{
    return (self->rule->faults & DNS_TRUNCATED) != 0 ? n / 2 : n;
}

/* The records of a section follow each other, in whatever order the rule has
 * them. */
static void add_records(reply *self)
{
    const dns_rule *rule = self->rule;
    const size_t n = halved(self, rule->n_records);

    for (dns_section section = 0; section < N_SECTIONS; section++) {
        for (size_t i = 0; i < n; i++) {
            if (rule->records[i].section == section &&
                !add(self, rule->records[i])) {
                return;
            }
        }
    }
}

/* The n-th address, counted from 1. */
static bool add_address(reply *self, const char *owner, size_t n)
{
    char text[TEXT_SIZE];
    dns_record record;

    if (self->question->type == DNS_TYPE_AAAA) {
        (void)snprintf(text, sizeof text, "fd00::%zx", n & 0xffff);
        record = dns_aaaa(text, self->rule->ttl);
    } else {
        (void)snprintf(text, sizeof text, "10.%zu.%zu.%zu", n >> 16 & 255,
                       n >> 8 & 255, n & 255);
        record = dns_a(text, self->rule->ttl);
    }
    return add(self, dns_owned(owner, record));
}

static void add_addresses(reply *self)
{
    const size_t n = halved(self, self->rule->n);

    for (size_t i = 1; i <= n; i++) {
        if (!add_address(self, NULL, i)) {
            return;
        }
    }
}

static void add_chain(reply *self)
{
    const uint16_t type = self->question->type;
    const size_t n = halved(self, self->rule->n);
    char owner[TEXT_SIZE] = "";
    char target[TEXT_SIZE] = "";

    for (size_t i = 1; i <= n; i++) {
        (void)snprintf(owner, sizeof owner, "link%zu.chain.test", i - 1);
        (void)snprintf(target, sizeof target, "link%zu.chain.test", i);
        if (!add(self, dns_owned(i == 1 ? NULL : owner,
                                 dns_cname(target, self->rule->ttl)))) {
            return;
        }
    }
    if (n == self->rule->n && (type == DNS_TYPE_A || type == DNS_TYPE_AAAA)) {
        (void)add_address(self, n == 0 ? NULL : target, 1);
    }
}

static void add_loop(reply *self)
{
    const char *back = "back.loop.test";

    (void)(add(self, dns_cname(back, self->rule->ttl)) &&
           add(self, dns_owned(back, dns_cname(self->question->name,
                                               self->rule->ttl))));
}

static void add_compression_loop(reply *self)
{
    const uint8_t data[] = {10, 0, 0, 1};
    dns_writer *writer = &self->writer;

    dns_write_pointer(writer, writer->length);
    dns_write_16(writer, DNS_TYPE_A);
    dns_write_16(writer, DNS_CLASS_IN);
    dns_write_32(writer, self->rule->ttl);
    dns_write_16(writer, sizeof data);
    dns_write_bytes(writer, data, sizeof data);
    dns_set_records(writer, DNS_ANSWER, 1);
}

/* ---- messages ---- */

static uint16_t flags_of(const reply *self)
{
    const unsigned faults = self->rule->faults;

    return (uint16_t)(((faults & DNS_IS_QUERY) != 0 ? 0 : DNS_FLAG_RESPONSE) |
                      ((faults & DNS_TRUNCATED) != 0 ? DNS_FLAG_TRUNCATED : 0) |
                      (self->question->flags & DNS_FLAG_RECURSION_DESIRED) |
                      DNS_FLAG_AUTHORITATIVE | DNS_FLAG_RECURSION_AVAILABLE |
                      (self->rule->rcode & 15));
}

/* A right question is copied: clients check the case of its letters. */
static void write_start(reply *self, const uint8_t *query)
{
    const unsigned faults = self->rule->faults;
    const uint16_t id = self->question->id;
    dns_writer *writer = &self->writer;

    dns_write_header(writer,
                     (uint16_t)((faults & DNS_WRONG_ID) != 0 ? id + 1 : id),
                     flags_of(self));
    if ((faults & DNS_NO_QUESTION) != 0) {
        return;
    }
    if ((faults & DNS_WRONG_QUESTION) != 0) {
        dns_write_question(writer, "wrong.question.test", self->question->type);
        return;
    }
    dns_write_bytes(writer, query + DNS_HEADER_SIZE, self->question->size);
    dns_set_questions(writer, 1);
}

static void write_records(reply *self)
{
    switch (self->rule->action) {
    case DNS_ADDRESSES:
        add_addresses(self);
        break;
    case DNS_CNAME_CHAIN:
        add_chain(self);
        break;
    case DNS_CNAME_LOOP:
        add_loop(self);
        break;
    case DNS_COMPRESSION_LOOP:
        add_compression_loop(self);
        break;
    default:
        add_records(self);
    }
}

/* xorshift32 (Marsaglia 2003). */
static void write_garbage(dns_writer *writer, size_t n)
{
    uint32_t state = 2463534242u;

    for (size_t i = 0; i < n; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        dns_write_8(writer, state & 255);
    }
}

/* Bytes and garbage come as they are. */
static size_t room_for(const dns_rule *rule, const dns_question *question,
                       dns_transport transport)
{
    return transport == DNS_TCP || rule->action == DNS_BYTES ||
                   rule->action == DNS_GARBAGE
               ? DNS_MESSAGE_SIZE
               : question->udp_size;
}

size_t dns_reply_write(const dns_rule *rule, const uint8_t *query,
                       const dns_question *question, dns_transport transport,
                       uint8_t *bytes)
{
    reply self = {
        .rule = rule,
        .question = question,
        .writer = dns_writer_over(bytes, room_for(rule, question, transport))};

    switch (rule->action) {
    case DNS_DROP:
        return 0;
    case DNS_BYTES:
        dns_write_16(&self.writer, question->id);
        dns_write_bytes(&self.writer, rule->bytes, rule->n_bytes);
        break;
    case DNS_GARBAGE:
        dns_write_16(&self.writer, question->id);
        write_garbage(&self.writer, rule->n);
        break;
    default:
        write_start(&self, query);
        write_records(&self);
    }
    return rule->cut > 0 && rule->cut < self.writer.length ? rule->cut
                                                           : self.writer.length;
}
