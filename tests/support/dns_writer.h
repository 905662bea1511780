/* SPDX-License-Identifier: Apache-2.0 */
/* Writes DNS messages (RFC 1035), right ones and wrong ones, piece by piece:
 * nothing is checked, that is what it is for. And reads questions. */
#ifndef MUSTER_TESTS_DNS_WRITER_H
#define MUSTER_TESTS_DNS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_SRV = 33,
    DNS_TYPE_OPT = 41
};

enum {
    DNS_RCODE_NOERROR = 0,
    DNS_RCODE_FORMERR = 1,
    DNS_RCODE_SERVFAIL = 2,
    DNS_RCODE_NXDOMAIN = 3,
    DNS_RCODE_NOTIMP = 4,
    DNS_RCODE_REFUSED = 5
};

enum {
    DNS_FLAG_RESPONSE = 0x8000,
    DNS_FLAG_AUTHORITATIVE = 0x0400,
    DNS_FLAG_TRUNCATED = 0x0200,
    DNS_FLAG_RECURSION_DESIRED = 0x0100,
    DNS_FLAG_RECURSION_AVAILABLE = 0x0080
};

enum {
    DNS_CLASS_IN = 1,
    DNS_CLASS_CHAOS = 3,
    DNS_HEADER_SIZE = 12,
    DNS_NAME_SIZE = 256, /* as text, with its dots and the null */
    DNS_UDP_SIZE = 512,  /* what a client without EDNS takes */
    DNS_MESSAGE_SIZE = 65535
};

/* The sections that have records, by where their count is in the header. */
typedef enum dns_section {
    DNS_ANSWER = 0,
    DNS_AUTHORITY = 1,
    DNS_ADDITIONAL = 2
} dns_section;

/* One record. What a field means depends on the type; dns_a() and its like
 * fill them. Strings are borrowed. */
typedef struct dns_record {
    const char *owner; /* NULL: the name that is asked for */
    dns_section section;
    uint16_t type;
    uint16_t class_; /* 0: IN */
    uint32_t ttl;
    const char *text; /* the address, the target, the TXT's text */
    uint16_t priority;
    uint16_t weight;
    uint16_t port;
    uint32_t minimum;   /* of a SOA */
    const uint8_t *raw; /* unless NULL: these are the data */
    uint16_t raw_size;
} dns_record;

/* Caller's memory. Once something does not fit, nothing more is written. */
typedef struct dns_writer {
    uint8_t *bytes;
    size_t size;
    size_t length;
    bool is_full;
} dns_writer;

typedef struct dns_question {
    uint16_t id;
    uint16_t flags;
    char name[DNS_NAME_SIZE]; /* as it was asked, without the last dot */
    uint16_t type;
    uint16_t class_;
    size_t size;     /* of the question's bytes, which follow the header */
    size_t udp_size; /* what the client takes: 512 without EDNS */
} dns_question;

dns_record dns_a(const char *address, uint32_t ttl);
dns_record dns_aaaa(const char *address, uint32_t ttl);
dns_record dns_cname(const char *target, uint32_t ttl);
dns_record dns_srv(uint16_t priority, uint16_t weight, uint16_t port,
                   const char *target, uint32_t ttl);

/* One record whose text is cut into strings of 255 bytes. */
dns_record dns_txt(const char *text, uint32_t ttl);

/* In the authority section, for negative answers. */
dns_record dns_soa(uint32_t minimum, uint32_t ttl);

/* Data of any type as they are. */
dns_record dns_raw(uint16_t type, const uint8_t *data, uint16_t size,
                   uint32_t ttl);

/* The same record with another owner, or in another section. */
dns_record dns_owned(const char *owner, dns_record record);
dns_record dns_placed(dns_section section, dns_record record);

dns_writer dns_writer_over(uint8_t *bytes, size_t size);
void dns_write_bytes(dns_writer *writer, const void *bytes, size_t n);
void dns_write_8(dns_writer *writer, unsigned value);
void dns_write_16(dns_writer *writer, unsigned value);
void dns_write_32(dns_writer *writer, uint32_t value);

/* "a.example" or "a.example."; no escapes. Labels over 63 bytes are written
 * with the length they have, modulo 256. */
void dns_write_name(dns_writer *writer, const char *name);

/* A compression pointer to an offset in the message. */
void dns_write_pointer(dns_writer *writer, size_t offset);

/* A header whose counts are 0, and what sets flags and counts afterwards. */
void dns_write_header(dns_writer *writer, uint16_t id, uint16_t flags);
void dns_add_flags(dns_writer *writer, uint16_t flags);
void dns_set_questions(dns_writer *writer, uint16_t n);
void dns_set_records(dns_writer *writer, dns_section section, uint16_t n);

/* The count is set too. */
void dns_write_question(dns_writer *writer, const char *name, uint16_t type);

/* Without the count. A NULL owner becomes a pointer to the first question.
 * False, and nothing written, when it does not fit. */
bool dns_write_record(dns_writer *writer, const dns_record *record);

/* A whole query. */
void dns_write_query(dns_writer *writer, uint16_t id, const char *name,
                     uint16_t type);

/* Reads the one question of a message, a query or a reply. False when it has
 * none that can be read. */
bool dns_read_question(const uint8_t *bytes, size_t size,
                       dns_question *ret_question);

#endif
