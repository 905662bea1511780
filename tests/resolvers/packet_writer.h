/* SPDX-License-Identifier: Apache-2.0 */
/* Writes DNS replies by hand, right or wrong, and reads them. The packet is one
 * a process: each test has its own. */
#ifndef MUSTER_TESTS_PACKET_WRITER_H
#define MUSTER_TESTS_PACKET_WRITER_H

#include <criterion/criterion.h>

#include <packet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Sections, by where the header has their count. */
typedef enum section { ANSWER = 6, AUTHORITY = 8, ADDITIONAL = 10 } section;

enum {
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    CLASS_IN = 1,
    CLASS_CHAOS = 3,
    HEADER_SIZE = 12,
    PACKET_MAX = 1 << 17,
    TIME_MAX_MS = 50
};

static uint8_t packet[PACKET_MAX];
static size_t packet_size;
static size_t data_at; /* of the record that is being written */

static muster__dns_answer *answer;
static muster__dns_trouble trouble;
static muster_error err;

/* ---- bytes and names ---- */

static inline void put(const void *bytes, size_t size)
{
    cr_assert_leq(packet_size + size, sizeof packet);
    memcpy(packet + packet_size, bytes, size);
    packet_size += size;
}

static inline void put_8(unsigned number)
{
    uint8_t byte = (uint8_t)number;

    put(&byte, 1);
}

static inline void put_16(unsigned number)
{
    put_8(number >> 8);
    put_8(number & 0xff);
}

static inline void put_32(uint32_t number)
{
    put_16(number >> 16);
    put_16(number & 0xffff);
}

/* Labels without an end. */
static inline void put_labels(const char *name)
{
    while (*name != '\0') {
        size_t length = strcspn(name, ".");

        put_8((unsigned)length);
        put(name, length);
        name += length + (name[length] == '.');
    }
}

static inline void put_name(const char *name)
{
    put_labels(name);
    put_8(0);
}

static inline void put_pointer(size_t to)
{
    put_16(0xc000 | (unsigned)to);
}

/* ---- header, question and records ---- */

static inline void begin_without_question(unsigned code)
{
    packet_size = 0;
    put_16(0x1234);
    put_16(0x8180 | code);
    put_32(0);
    put_32(0);
}

/* A reply to the question for web.prod, which is then at HEADER_SIZE. */
static inline void begin_with(muster__dns_type type, unsigned code)
{
    begin_without_question(code);
    packet[5] = 1;
    put_name("web.prod");
    put_16((unsigned)type);
    put_16(CLASS_IN);
}

static inline void begin(muster__dns_type type)
{
    begin_with(type, 0);
}

static inline void set_flag(size_t byte, uint8_t flag)
{
    packet[byte] |= flag;
}

static inline void begin_data(section in, unsigned type, unsigned class,
                              uint32_t ttl_s)
{
    unsigned n = (unsigned)packet[in] << 8 | packet[in + 1];

    packet[in] = (uint8_t)((n + 1) >> 8);
    packet[in + 1] = (uint8_t)(n + 1);
    put_16(type);
    put_16(class);
    put_32(ttl_s);
    put_16(0);
    data_at = packet_size;
}

static inline void begin_record(section in, const char *owner, unsigned type,
                                uint32_t ttl_s)
{
    put_name(owner);
    begin_data(in, type, CLASS_IN, ttl_s);
}

static inline void end_record(void)
{
    size_t size = packet_size - data_at;

    packet[data_at - 2] = (uint8_t)(size >> 8);
    packet[data_at - 1] = (uint8_t)size;
}

/* 10.0.0.last */
static inline void add_a_of(section in, const char *owner, unsigned last,
                            uint32_t ttl_s)
{
    begin_record(in, owner, MUSTER__DNS_A, ttl_s);
    put_32(0x0a000000 | last);
    end_record();
}

static inline void add_a(unsigned last, uint32_t ttl_s)
{
    add_a_of(ANSWER, "web.prod", last, ttl_s);
}

static inline void add_a_of_class(unsigned class)
{
    put_name("web.prod");
    begin_data(ANSWER, MUSTER__DNS_A, class, 60);
    put_32(0x0a000001);
    end_record();
}

/* fd00::last */
static inline void add_aaaa_of(section in, const char *owner, unsigned last)
{
    begin_record(in, owner, MUSTER__DNS_AAAA, 60);
    put_32(0xfd000000);
    put_32(0);
    put_32(0);
    put_32(last);
    end_record();
}

static inline void add_cname(const char *owner, const char *target,
                             uint32_t ttl_s)
{
    begin_record(ANSWER, owner, TYPE_CNAME, ttl_s);
    put_name(target);
    end_record();
}

static inline void add_srv(unsigned port, const char *target)
{
    begin_record(ANSWER, "web.prod", MUSTER__DNS_SRV, 60);
    put_16(10);
    put_16(20);
    put_16(port);
    put_name(target);
    end_record();
}

static inline void add_soa(uint32_t ttl_s, uint32_t minimum_s)
{
    begin_record(AUTHORITY, "prod", TYPE_SOA, ttl_s);
    put_name("ns.prod");
    put_name("admin.prod");
    put_32(1);
    put_32(3600);
    put_32(600);
    put_32(86400);
    put_32(minimum_s);
    end_record();
}

/* Links from web.prod to l1, l2 and so on, n of them. */
static inline void add_chain(unsigned n)
{
    char owner[32] = "web.prod";
    char target[32];

    for (unsigned i = 1; i <= n; i++) {
        snprintf(target, sizeof target, "l%u", i);
        add_cname(owner, target, 60);
        strcpy(owner, target);
    }
}

/* ---- reading ---- */

/* Reads size bytes from memory of just that size. */
static inline muster__dns_outcome read_size(muster__dns_type type, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    muster__dns_outcome outcome;

    cr_assert_not_null(copy);
    memcpy(copy, packet, size);
    muster__dns_answer_unref(answer);
    answer = NULL;
    err.message[0] = '\0';
    outcome = muster__dns_packet_read(copy, size, "web.prod", type, &answer,
                                      &trouble, &err);
    free(copy);
    return outcome;
}

static inline void expect_answer(muster__dns_type type, size_t n)
{
    cr_assert_eq(read_size(type, packet_size), MUSTER__DNS_ANSWER, "%s",
                 err.message);
    cr_assert_eq(answer->outcome, MUSTER__DNS_ANSWER);
    cr_assert_eq(answer->type, type);
    cr_assert_eq(answer->n, n);
}

static inline void expect_denial(uint64_t ttl_s)
{
    cr_assert_eq(read_size(MUSTER__DNS_A, packet_size),
                 MUSTER__DNS_NO_SUCH_NAME, "%s", err.message);
    cr_assert_eq(answer->outcome, MUSTER__DNS_NO_SUCH_NAME);
    cr_assert_eq(answer->n, 0);
    cr_assert_eq(answer->ttl_s, ttl_s);
}

static inline void expect_unknown(muster__dns_type type,
                                  muster__dns_trouble which, const char *said)
{
    cr_assert_eq(read_size(type, packet_size), MUSTER__DNS_UNKNOWN);
    cr_assert_eq(trouble, which);
    cr_assert_str_eq(err.message, said);
}

static inline void expect_malformed(muster__dns_type type, const char *said)
{
    expect_unknown(type, MUSTER__DNS_MALFORMED, said);
}

/* How long one reading takes this thread, of the quickest of three: what others
 * take of the processor does not count. */
static inline uint64_t reading_ns(muster__dns_type type)
{
    uint64_t best_ns = UINT64_MAX;

    for (int i = 0; i < 3; i++) {
        struct timespec from;
        struct timespec to;
        uint64_t ns;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        (void)read_size(type, packet_size);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        ns = (uint64_t)((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec -
                        from.tv_nsec);
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return best_ns;
}

static inline void forget_answer(void)
{
    muster__dns_answer_unref(answer);
    answer = NULL;
}

#endif
