/* SPDX-License-Identifier: Apache-2.0 */
/* Replies that are refusals, wrong, cut short, or made to take long. */
#include <criterion/criterion.h>

#include <ares.h>

#include "limit.h"
#include "packet_writer.h"

TestSuite(dns_packet_bad, .fini = forget_answer);

/* ---- codes and flags ---- */

static void expect_code(unsigned code, muster__dns_trouble which,
                        const char *said)
{
    begin_with(MUSTER__DNS_A, code);
    add_a(1, 60);
    expect_unknown(MUSTER__DNS_A, which, said);
}

Test(dns_packet_bad, says_who_refused)
{
    expect_code(5, MUSTER__DNS_REFUSED, "REFUSED");
    expect_code(9, MUSTER__DNS_REFUSED, "NOTAUTH");
}

Test(dns_packet_bad, says_what_failed)
{
    expect_code(2, MUSTER__DNS_SERVFAIL, "SERVFAIL");
    expect_code(1, MUSTER__DNS_SERVFAIL, "FORMERR");
    expect_code(4, MUSTER__DNS_SERVFAIL, "NOTIMP");
    expect_code(11, MUSTER__DNS_SERVFAIL, "rcode 11");
}

Test(dns_packet_bad, a_question_is_no_reply)
{
    begin(MUSTER__DNS_A);
    add_a(1, 60);
    packet[2] = 0x01;
    expect_malformed(MUSTER__DNS_A, "the packet is no reply, but a question");
}

Test(dns_packet_bad, a_truncated_reply_removes_nothing)
{
    begin(MUSTER__DNS_A);
    add_a(1, 60);
    set_flag(2, 0x02);
    expect_malformed(MUSTER__DNS_A, "the reply is truncated");
}

Test(dns_packet_bad, a_truncated_denial_denies_nothing)
{
    begin_with(MUSTER__DNS_A, 3);
    add_soa(1, 1);
    set_flag(2, 0x02);
    expect_malformed(MUSTER__DNS_A, "the reply is truncated");
}

/* ---- the question ---- */

static void expect_other_question(const char *name, unsigned type,
                                  unsigned class)
{
    begin_without_question(0);
    packet[5] = 1;
    put_name(name);
    put_16(type);
    put_16(class);
    add_a(1, 60);
    expect_malformed(MUSTER__DNS_A, "the reply is to another question");
}

Test(dns_packet_bad, a_reply_to_another_question_is_none)
{
    expect_other_question("web.prod.evil", MUSTER__DNS_A, CLASS_IN);
    expect_other_question("prod", MUSTER__DNS_A, CLASS_IN);
    expect_other_question("web.prod", MUSTER__DNS_AAAA, CLASS_IN);
    expect_other_question("web.prod", MUSTER__DNS_A, CLASS_CHAOS);
}

Test(dns_packet_bad, a_reply_to_two_questions_is_none)
{
    begin(MUSTER__DNS_A);
    packet[5] = 2;
    expect_malformed(MUSTER__DNS_A, "the reply is to 2 questions");
}

/* ---- owners, classes and chains ---- */

Test(dns_packet_bad, records_of_other_names_deny_nothing)
{
    begin(MUSTER__DNS_A);
    add_a_of(ANSWER, "web.evil", 1, 60);
    add_soa(1, 1);
    expect_malformed(MUSTER__DNS_A, "the records are of another name");
}

Test(dns_packet_bad, chains_of_other_names_deny_nothing)
{
    begin_with(MUSTER__DNS_A, 3);
    add_cname("web.evil", "b", 60);
    expect_malformed(MUSTER__DNS_A, "the records are of another name");
}

Test(dns_packet_bad, records_of_a_wrong_class_deny_nothing)
{
    begin(MUSTER__DNS_A);
    add_a_of_class(CLASS_CHAOS);
    add_soa(1, 1);
    expect_malformed(MUSTER__DNS_A, "the records are of a wrong class");
}

Test(dns_packet_bad, a_referral_denies_nothing)
{
    begin(MUSTER__DNS_A);
    begin_record(AUTHORITY, "prod", 2, 60); /* NS */
    put_name("ns.prod");
    end_record();
    expect_malformed(MUSTER__DNS_A,
                     "neither A records nor a SOA record that denies them");
}

Test(dns_packet_bad, a_chain_without_a_soa_record_denies_nothing)
{
    begin(MUSTER__DNS_A);
    add_cname("web.prod", "b", 60);
    expect_malformed(MUSTER__DNS_A,
                     "neither A records nor a SOA record that denies them");
}

Test(dns_packet_bad, a_name_that_is_not_there_has_no_records)
{
    begin_with(MUSTER__DNS_A, 3);
    add_a(1, 60);
    add_soa(1, 1);
    expect_malformed(MUSTER__DNS_A, "NXDOMAIN with A records of the name");
}

Test(dns_packet_bad, says_that_a_chain_goes_in_a_circle)
{
    begin(MUSTER__DNS_A);
    add_cname("web.prod", "b", 60);
    add_cname("b", "c", 60);
    add_cname("c", "b", 60);
    expect_malformed(MUSTER__DNS_A, "the CNAME records go in a circle");
    begin(MUSTER__DNS_A);
    add_cname("web.prod", "web.prod", 60);
    expect_malformed(MUSTER__DNS_A, "the CNAME records go in a circle");
}

Test(dns_packet_bad, says_that_a_chain_is_too_long)
{
    begin(MUSTER__DNS_A);
    add_chain(65);
    add_a_of(ANSWER, "l65", 1, 60);
    expect_malformed(MUSTER__DNS_A, "a chain of over 64 CNAME records");
}

/* ---- data ---- */

static void expect_wrong_size(section in, unsigned type, const void *data,
                              size_t size, muster__dns_type asked)
{
    char said[64];

    begin(asked);
    if (in == ADDITIONAL) {
        add_srv(1, "a.prod");
    }
    begin_record(in, "web.prod", type, 60);
    put(data, size);
    end_record();
    snprintf(said, sizeof said, "data of a wrong size in record %d of %d",
             in == ADDITIONAL ? 2 : 1, in == ADDITIONAL ? 2 : 1);
    expect_malformed(asked, said);
}

Test(dns_packet_bad, addresses_have_a_size)
{
    static const char zeros[32];

    expect_wrong_size(ANSWER, 1, zeros, 3, MUSTER__DNS_A);
    expect_wrong_size(ANSWER, 1, zeros, 5, MUSTER__DNS_A);
    expect_wrong_size(ANSWER, 1, zeros, 0, MUSTER__DNS_A);
    expect_wrong_size(ANSWER, 28, zeros, 15, MUSTER__DNS_AAAA);
    expect_wrong_size(ANSWER, 28, zeros, 4, MUSTER__DNS_AAAA);
    expect_wrong_size(ADDITIONAL, 1, zeros, 16, MUSTER__DNS_SRV);
    expect_wrong_size(ADDITIONAL, 28, zeros, 4, MUSTER__DNS_SRV);
}

Test(dns_packet_bad, names_fill_their_data)
{
    expect_wrong_size(ANSWER, TYPE_CNAME, "\1b\0\0", 4, MUSTER__DNS_A);
    expect_wrong_size(ANSWER, 33, "\0\0\0\0\0\1\1b\0\0", 10, MUSTER__DNS_SRV);
    expect_wrong_size(ANSWER, 33, "\0\0\0\0\0\1", 6, MUSTER__DNS_SRV);
    expect_wrong_size(ANSWER, 33, "\0\0", 2, MUSTER__DNS_SRV);
    expect_wrong_size(AUTHORITY, TYPE_SOA, "\0\0 123", 6, MUSTER__DNS_A);
}

Test(dns_packet_bad, names_end_inside_their_data)
{
    begin(MUSTER__DNS_SRV);
    begin_record(ANSWER, "web.prod", MUSTER__DNS_SRV, 60);
    put("\0\0\0\0\0\1\1b", 8);
    end_record();
    add_a_of(ADDITIONAL, "", 1, 60); /* its first byte would be the end */
    expect_malformed(MUSTER__DNS_SRV, "data of a wrong size in record 1 of 2");
}

Test(dns_packet_bad, strings_fill_their_data)
{
    expect_wrong_size(ANSWER, 16, "", 0, MUSTER__DNS_TXT);
    expect_wrong_size(ANSWER, 16, "\4abc", 4, MUSTER__DNS_TXT);
    expect_wrong_size(ANSWER, 16, "\2ab\5abc", 7, MUSTER__DNS_TXT);
}

Test(dns_packet_bad, services_are_not_all_at_port_0)
{
    begin(MUSTER__DNS_SRV);
    add_srv(0, "a.prod");
    add_srv(0, "b.prod");
    expect_malformed(MUSTER__DNS_SRV, "port 0 in every SRV record");
}

/* ---- names ---- */

Test(dns_packet_bad, a_name_does_not_point_past_the_end)
{
    begin(MUSTER__DNS_A);
    put_pointer(0x3fff);
    begin_data(ANSWER, MUSTER__DNS_A, CLASS_IN, 60);
    put_32(1);
    end_record();
    expect_malformed(
        MUSTER__DNS_A,
        "a name points past the end of the reply in record 1 of 1");
}

Test(dns_packet_bad, a_name_does_not_point_at_itself)
{
    begin_without_question(0);
    packet[5] = 1;
    put_pointer(HEADER_SIZE);
    put_16(MUSTER__DNS_A);
    put_16(CLASS_IN);
    expect_malformed(
        MUSTER__DNS_A,
        "a name with over 50 compression pointers in the question");
}

Test(dns_packet_bad, names_do_not_point_in_a_circle)
{
    begin(MUSTER__DNS_A);
    put_labels("a");
    put_pointer(packet_size + 2 + 10 + 4);
    begin_data(ANSWER, MUSTER__DNS_A, CLASS_IN, 60);
    put_32(1);
    end_record();
    put_pointer(packet_size - 2 - 2 - 10 - 4);
    begin_data(ANSWER, MUSTER__DNS_A, CLASS_IN, 60);
    put_32(1);
    end_record();
    expect_malformed(
        MUSTER__DNS_A,
        "a name with over 50 compression pointers in record 1 of 2");
}

Test(dns_packet_bad, a_name_has_at_most_255_bytes)
{
    char name[4 * 64 + 1] = "";

    for (int i = 0; i < 4; i++) { /* 4 x 64 and the root: 257 bytes */
        memset(name + 64 * i, 'x', 63);
        name[64 * i + 63] = '.';
    }
    begin(MUSTER__DNS_SRV);
    add_srv(1, name);
    expect_malformed(MUSTER__DNS_SRV,
                     "a name of over 255 bytes in record 1 of 1");
    name[3 * 64 + 61] = '\0'; /* 255 */
    begin(MUSTER__DNS_SRV);
    add_srv(1, name);
    expect_answer(MUSTER__DNS_SRV, 1);
    cr_assert_eq(strlen(answer->services[0].target), 253);
}

Test(dns_packet_bad, a_name_is_short_when_escaped_too)
{
    char name[64 + 61] = "";

    memset(name, '\1', sizeof name - 1);
    name[63] = '.';
    begin(MUSTER__DNS_SRV);
    add_srv(1, name);
    expect_malformed(MUSTER__DNS_SRV, "too long a name in record 1 of 1");
}

Test(dns_packet_bad, a_label_is_of_a_known_kind)
{
    begin(MUSTER__DNS_A);
    put_8(0x41);
    put_8(0);
    begin_data(ANSWER, MUSTER__DNS_A, CLASS_IN, 60);
    end_record();
    expect_malformed(MUSTER__DNS_A,
                     "a name with a label of unknown kind in record 1 of 1");
}

/* ---- cut short ---- */

Test(dns_packet_bad, a_reply_has_a_header)
{
    packet_size = 0;
    expect_malformed(MUSTER__DNS_A, "the reply is cut short in its header");
    cr_assert_eq(muster__dns_packet_read(NULL, 0, "web.prod", MUSTER__DNS_A,
                                         &answer, &trouble, &err),
                 MUSTER__DNS_UNKNOWN);
}

Test(dns_packet_bad, a_reply_has_at_most_65535_bytes)
{
    begin(MUSTER__DNS_A);
    packet_size = UINT16_MAX + 1;
    expect_malformed(MUSTER__DNS_A, "the reply has 65536 bytes; at most 65535");
}

Test(dns_packet_bad, a_reply_has_the_records_it_claims)
{
    begin(MUSTER__DNS_A);
    add_a(1, 60);
    memset(packet + ANSWER, 0xff, 6);
    expect_malformed(MUSTER__DNS_A,
                     "the reply is cut short in record 2 of 196605");
}

/* Whatever the cut takes away, what is left is not taken for the whole. */
static void cut_everywhere(muster__dns_type type)
{
    for (size_t size = 0; size < packet_size; size++) {
        cr_assert_eq(read_size(type, size), MUSTER__DNS_UNKNOWN, "%zu", size);
        cr_assert_eq(trouble, MUSTER__DNS_MALFORMED);
        cr_assert_not_null(strstr(err.message, "cut short"), "%zu: %s", size,
                           err.message);
    }
}

Test(dns_packet_bad, a_cut_in_addresses_is_seen)
{
    begin(MUSTER__DNS_A);
    add_chain(2);
    add_a_of(ANSWER, "l2", 1, 60);
    add_a_of(ANSWER, "l2", 2, 60);
    expect_answer(MUSTER__DNS_A, 2);
    cut_everywhere(MUSTER__DNS_A);
}

Test(dns_packet_bad, a_cut_in_services_is_seen)
{
    begin(MUSTER__DNS_SRV);
    add_srv(1, "a.prod");
    add_srv(1, "b.prod");
    add_a_of(ADDITIONAL, "a.prod", 1, 60);
    add_aaaa_of(ADDITIONAL, "b.prod", 1);
    expect_answer(MUSTER__DNS_SRV, 2);
    cut_everywhere(MUSTER__DNS_SRV);
}

Test(dns_packet_bad, a_cut_in_texts_is_seen)
{
    begin(MUSTER__DNS_TXT);
    begin_record(ANSWER, "web.prod", MUSTER__DNS_TXT, 60);
    put("\3one\4 two", 9);
    end_record();
    expect_answer(MUSTER__DNS_TXT, 1);
    cut_everywhere(MUSTER__DNS_TXT);
}

Test(dns_packet_bad, a_cut_in_a_denial_is_seen)
{
    begin_with(MUSTER__DNS_A, 3);
    add_soa(1, 1);
    expect_denial(1);
    cut_everywhere(MUSTER__DNS_A);
}

/* Under the sanitizers, that nothing outside of the packet is read. */
Test(dns_packet_bad, any_wrong_bit_is_survived)
{
    begin(MUSTER__DNS_SRV);
    add_srv(1, "a.prod");
    put_pointer(HEADER_SIZE);
    begin_data(ANSWER, TYPE_CNAME, CLASS_IN, 60);
    put_pointer(HEADER_SIZE + 4);
    end_record();
    add_soa(1, 1);
    add_a_of(ADDITIONAL, "a.prod", 1, 60);
    for (size_t i = 0; i < packet_size * 8; i++) {
        packet[i / 8] ^= (uint8_t)(1 << i % 8);
        (void)read_size(MUSTER__DNS_SRV, packet_size);
        packet[i / 8] ^= (uint8_t)(1 << i % 8);
    }
}

/* ---- made to take long ---- */

Test(dns_packet_bad, pointers_take_no_time)
{
    begin_without_question(0);
    while (packet_size < UINT16_MAX - 1) {
        put_pointer(packet_size < 0x3ffe ? packet_size + 2 : HEADER_SIZE);
    }
    memset(packet + ANSWER, 0xff, 6);
    cr_assert_lt(reading_ns(MUSTER__DNS_A), limit_ns(TIME_MAX_MS));
    cr_assert_eq(trouble, MUSTER__DNS_MALFORMED);
}

/* Records whose owners are each 50 pointers and a long name, which differ in
 * their last bytes only, and a chain of 64 links that looks at all of them. */
Test(dns_packet_bad, long_names_and_chains_take_no_time)
{
    char tail[3 * 64] = "";
    size_t at;

    memset(tail, 'x', sizeof tail - 1);
    tail[63] = tail[127] = '.';
    begin(MUSTER__DNS_A);
    at = packet_size;
    begin_record(ANSWER, tail, MUSTER__DNS_A, 60);
    for (int i = 0; i < 48; i++) {
        put_pointer(at);
        at = packet_size - 2;
    }
    end_record();
    add_chain(64);
    while (packet_size < 65000) {
        put_8(2);
        put_16(packet_size & 0xffff);
        put_pointer(at);
        begin_data(ANSWER, TYPE_CNAME, CLASS_IN, 60);
        put_pointer(at);
        end_record();
    }
    cr_assert_lt(reading_ns(MUSTER__DNS_A), limit_ns(TIME_MAX_MS));
    cr_assert_str_eq(err.message, "the records are of another name");
}

Test(dns_packet_bad, a_circle_of_4000_links_takes_no_time)
{
    begin(MUSTER__DNS_A);
    for (int i = 0; i < 4000; i++) {
        put_pointer(HEADER_SIZE);
        begin_data(ANSWER, TYPE_CNAME, CLASS_IN, 60);
        put_pointer(HEADER_SIZE);
        end_record();
    }
    cr_assert_lt(reading_ns(MUSTER__DNS_A), limit_ns(TIME_MAX_MS));
    cr_assert_str_eq(err.message, "the CNAME records go in a circle");
}

Test(dns_packet_bad, empty_strings_take_no_time)
{
    begin(MUSTER__DNS_TXT);
    begin_record(ANSWER, "web.prod", MUSTER__DNS_TXT, 60);
    memset(packet + packet_size, 0, 65000);
    packet_size += 65000;
    end_record();
    expect_answer(MUSTER__DNS_TXT, 1);
    cr_assert_lt(reading_ns(MUSTER__DNS_TXT), limit_ns(TIME_MAX_MS));
}

/* ---- memory ---- */

static int allocations_left;

static void *scarce_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *scarce_realloc(void *memory, size_t size)
{
    return allocations_left-- > 0 ? realloc(memory, size) : NULL;
}

Test(dns_packet_bad, no_memory_is_no_fault_of_the_servers)
{
    muster__dns_outcome outcome = MUSTER__DNS_UNKNOWN;
    int n = 0;

    cr_assert_eq(ares_library_init_mem(ARES_LIB_INIT_ALL, scarce_malloc, free,
                                       scarce_realloc),
                 ARES_SUCCESS);
    begin(MUSTER__DNS_SRV);
    add_srv(1, "a.prod");
    add_a_of(ADDITIONAL, "a.prod", 1, 60);
    for (; outcome == MUSTER__DNS_UNKNOWN; n++) {
        allocations_left = n;
        outcome = read_size(MUSTER__DNS_SRV, packet_size);
        if (outcome == MUSTER__DNS_UNKNOWN) {
            cr_assert_eq(trouble, MUSTER__DNS_LOCAL);
            cr_assert_str_eq(err.message, "out of memory");
        }
    }
    cr_assert_eq(outcome, MUSTER__DNS_ANSWER);
    cr_assert_gt(n, 4);
}
