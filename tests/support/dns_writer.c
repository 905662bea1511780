/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the bytes of DNS messages together. */
#include "dns_writer.h"

#include <arpa/inet.h>
#include <string.h>

enum { COUNTS_OFFSET = 4, MAX_LABEL = 63, MAX_STRING = 255 };

/* ---- records ---- */

dns_record dns_a(const char *address, uint32_t ttl)
{
    return (dns_record){.type = DNS_TYPE_A, .text = address, .ttl = ttl};
}

dns_record dns_aaaa(const char *address, uint32_t ttl)
{
    return (dns_record){.type = DNS_TYPE_AAAA, .text = address, .ttl = ttl};
}

dns_record dns_cname(const char *target, uint32_t ttl)
{
    return (dns_record){.type = DNS_TYPE_CNAME, .text = target, .ttl = ttl};
}

dns_record dns_srv(uint16_t priority, uint16_t weight, uint16_t port,
                   const char *target, uint32_t ttl)
{
    return (dns_record){.type = DNS_TYPE_SRV,
                        .text = target,
                        .ttl = ttl,
                        .priority = priority,
                        .weight = weight,
                        .port = port};
}

dns_record dns_txt(const char *text, uint32_t ttl)
{
    return (dns_record){.type = DNS_TYPE_TXT, .text = text, .ttl = ttl};
}

dns_record dns_soa(uint32_t minimum, uint32_t ttl)
{
    return (dns_record){.section = DNS_AUTHORITY,
                        .type = DNS_TYPE_SOA,
                        .ttl = ttl,
                        .minimum = minimum};
}

dns_record dns_raw(uint16_t type, const uint8_t *data, uint16_t size,
                   uint32_t ttl)
{
    return (dns_record){
        .type = type, .ttl = ttl, .raw = data, .raw_size = size};
}

dns_record dns_owned(const char *owner, dns_record record)
{
    record.owner = owner;
    return record;
}

dns_record dns_placed(dns_section section, dns_record record)
{
    record.section = section;
    return record;
}

/* ---- bytes ---- */

dns_writer dns_writer_over(uint8_t *bytes, size_t size)
{
    return (dns_writer){.bytes = bytes, .size = size};
}

void dns_write_bytes(dns_writer *writer, const void *bytes, size_t n)
{
    if (writer->is_full || n > writer->size - writer->length) {
        writer->is_full = true;
        return;
    }
    if (n > 0) {
        memcpy(writer->bytes + writer->length, bytes, n);
    }
    writer->length += n;
}

void dns_write_8(dns_writer *writer, unsigned value)
{
    const uint8_t byte = (uint8_t)value;

    dns_write_bytes(writer, &byte, 1);
}

void dns_write_16(dns_writer *writer, unsigned value)
{
    dns_write_8(writer, value >> 8);
    dns_write_8(writer, value);
}

void dns_write_32(dns_writer *writer, uint32_t value)
{
    dns_write_16(writer, value >> 16);
    dns_write_16(writer, value & 0xffff);
}

void dns_write_name(dns_writer *writer, const char *name)
{
    while (*name != '\0' && *name != '.') {
        const size_t n = strcspn(name, ".");

        dns_write_8(writer, (unsigned)n);
        dns_write_bytes(writer, name, n);
        name += n;
        name += *name == '.';
    }
    dns_write_8(writer, 0);
}

void dns_write_pointer(dns_writer *writer, size_t offset)
{
    dns_write_16(writer, 0xc000 | (unsigned)offset);
}

/* ---- messages ---- */

void dns_write_header(dns_writer *writer, uint16_t id, uint16_t flags)
{
    const uint8_t counts[8] = {0};

    dns_write_16(writer, id);
    dns_write_16(writer, flags);
    dns_write_bytes(writer, counts, sizeof counts);
}

static void set_16(dns_writer *writer, size_t offset, uint16_t value)
{
    if (offset + 2 <= writer->length) {
        writer->bytes[offset] = (uint8_t)(value >> 8);
        writer->bytes[offset + 1] = (uint8_t)value;
    }
}

static uint16_t get_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

void dns_add_flags(dns_writer *writer, uint16_t flags)
{
    if (writer->length >= DNS_HEADER_SIZE) {
        set_16(writer, 2, get_16(writer->bytes + 2) | flags);
    }
}

void dns_set_questions(dns_writer *writer, uint16_t n)
{
    set_16(writer, COUNTS_OFFSET, n);
}

void dns_set_records(dns_writer *writer, dns_section section, uint16_t n)
{
    set_16(writer, COUNTS_OFFSET + 2 + 2 * (size_t)section, n);
}

void dns_write_question(dns_writer *writer, const char *name, uint16_t type)
{
    dns_write_name(writer, name);
    dns_write_16(writer, type);
    dns_write_16(writer, DNS_CLASS_IN);
    dns_set_questions(writer, 1);
}

void dns_write_query(dns_writer *writer, uint16_t id, const char *name,
                     uint16_t type)
{
    dns_write_header(writer, id, DNS_FLAG_RECURSION_DESIRED);
    dns_write_question(writer, name, type);
}

static void write_strings(dns_writer *writer, const char *text)
{
    size_t left = strlen(text);

    do {
        const size_t n = left < MAX_STRING ? left : MAX_STRING;

        dns_write_8(writer, (unsigned)n);
        dns_write_bytes(writer, text, n);
        text += n;
        left -= n;
    } while (left > 0);
}

static void write_address(dns_writer *writer, int family, const char *text)
{
    uint8_t address[16] = {0};

    (void)inet_pton(family, text, address);
    dns_write_bytes(writer, address, family == AF_INET ? 4 : 16);
}

static void write_soa(dns_writer *writer, uint32_t minimum)
{
    const uint32_t times[] = {1, 3600, 600, 86400, minimum};

    dns_write_name(writer, "ns.test");
    dns_write_name(writer, "admin.test");
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        dns_write_32(writer, times[i]);
    }
}

static void write_data(dns_writer *writer, const dns_record *record)
{
    if (record->raw != NULL) {
        dns_write_bytes(writer, record->raw, record->raw_size);
        return;
    }
    switch (record->type) {
    case DNS_TYPE_A:
        write_address(writer, AF_INET, record->text);
        break;
    case DNS_TYPE_AAAA:
        write_address(writer, AF_INET6, record->text);
        break;
    case DNS_TYPE_TXT:
        write_strings(writer, record->text);
        break;
    case DNS_TYPE_SOA:
        write_soa(writer, record->minimum);
        break;
    case DNS_TYPE_SRV:
        dns_write_16(writer, record->priority);
        dns_write_16(writer, record->weight);
        dns_write_16(writer, record->port);
        dns_write_name(writer, record->text);
        break;
    default: /* CNAME, NS */
        dns_write_name(writer, record->text);
    }
}

bool dns_write_record(dns_writer *writer, const dns_record *record)
{
    const size_t start = writer->length;
    size_t data;

    if (record->owner == NULL) {
        dns_write_pointer(writer, DNS_HEADER_SIZE);
    } else {
        dns_write_name(writer, record->owner);
    }
    dns_write_16(writer, record->type);
    dns_write_16(writer, record->class_ == 0 ? DNS_CLASS_IN : record->class_);
    dns_write_32(writer, record->ttl);
    dns_write_16(writer, 0);
    data = writer->length;
    write_data(writer, record);
    if (writer->is_full) {
        writer->length = start;
        return false;
    }
    set_16(writer, data - 2, (uint16_t)(writer->length - data));
    return true;
}

/* ---- questions ---- */

/* Returns the bytes of the name that are read, 0 when it is none; queries do
 * not compress. */
static size_t read_name(const uint8_t *bytes, size_t size,
                        char name[DNS_NAME_SIZE])
{
    size_t at = 0;
    size_t length = 0;

    while (at < size && bytes[at] != 0) {
        const size_t n = bytes[at++];

        if (n > MAX_LABEL || n >= size - at || length + n + 2 > DNS_NAME_SIZE) {
            return 0;
        }
        if (length > 0) {
            name[length++] = '.';
        }
        memcpy(name + length, bytes + at, n);
        length += n;
        at += n;
    }
    name[length] = '\0';
    return at < size ? at + 1 : 0;
}

/* A client says in the class of its OPT record, which comes first after the
 * question in every query, what it takes (RFC 6891, 6.1.2). */
static size_t read_udp_size(const uint8_t *bytes, size_t size)
{
    if (size >= 11 && bytes[0] == 0 && get_16(bytes + 1) == DNS_TYPE_OPT &&
        get_16(bytes + 3) > DNS_UDP_SIZE) {
        return get_16(bytes + 3);
    }
    return DNS_UDP_SIZE;
}

bool dns_read_question(const uint8_t *bytes, size_t size,
                       dns_question *ret_question)
{
    dns_question question = {0};
    size_t end;

    if (size < DNS_HEADER_SIZE || get_16(bytes + COUNTS_OFFSET) != 1) {
        return false;
    }
    question.id = get_16(bytes);
    question.flags = get_16(bytes + 2);
    end = read_name(bytes + DNS_HEADER_SIZE, size - DNS_HEADER_SIZE,
                    question.name);
    if (end == 0 || size - DNS_HEADER_SIZE - end < 4) {
        return false;
    }
    question.type = get_16(bytes + DNS_HEADER_SIZE + end);
    question.class_ = get_16(bytes + DNS_HEADER_SIZE + end + 2);
    question.size = end + 4;
    end = DNS_HEADER_SIZE + question.size;
    question.udp_size = read_udp_size(bytes + end, size - end);
    *ret_question = question;
    return true;
}
