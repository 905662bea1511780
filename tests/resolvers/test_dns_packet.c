/* SPDX-License-Identifier: Apache-2.0 */
/* What replies mean that are right. */
#include <criterion/criterion.h>

#include "limit.h"
#include "packet_writer.h"

TestSuite(dns_packet, .fini = forget_answer);

/* ---- addresses ---- */

Test(dns_packet, reads_addresses_in_their_order)
{
    begin(MUSTER__DNS_A);
    add_a(3, 60);
    add_a(1, 60);
    expect_answer(MUSTER__DNS_A, 2);
    cr_assert_eq(answer->addresses[0].size, 4);
    cr_assert_arr_eq(answer->addresses[0].bytes, "\x0a\0\0\x03", 4);
    cr_assert_arr_eq(answer->addresses[1].bytes, "\x0a\0\0\x01", 4);
}

Test(dns_packet, reads_ipv6_addresses)
{
    begin(MUSTER__DNS_AAAA);
    add_aaaa_of(ANSWER, "web.prod", 7);
    expect_answer(MUSTER__DNS_AAAA, 1);
    cr_assert_eq(answer->addresses[0].size, 16);
    cr_assert_arr_eq(answer->addresses[0].bytes,
                     "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07", 16);
}

Test(dns_packet, leaves_duplicates)
{
    begin(MUSTER__DNS_A);
    add_a(1, 60);
    add_a(1, 60);
    expect_answer(MUSTER__DNS_A, 2);
}

Test(dns_packet, takes_a_reply_without_a_question)
{
    begin_without_question(0);
    add_a(1, 60);
    expect_answer(MUSTER__DNS_A, 1);
}

Test(dns_packet, compares_names_without_case)
{
    begin_without_question(0);
    packet[5] = 1;
    put_name("Web.PROD");
    put_16(MUSTER__DNS_A);
    put_16(CLASS_IN);
    add_cname("WEB.prod", "Other.Prod", 60);
    add_a_of(ANSWER, "oTHER.prod", 1, 60);
    expect_answer(MUSTER__DNS_A, 1);
}

Test(dns_packet, expands_compressed_names)
{
    size_t target;

    begin(MUSTER__DNS_A);
    put_pointer(HEADER_SIZE);
    begin_data(ANSWER, TYPE_CNAME, CLASS_IN, 60);
    target = packet_size;
    put_labels("other");
    put_pointer(HEADER_SIZE + 4); /* prod */
    end_record();
    put_pointer(target);
    begin_data(ANSWER, MUSTER__DNS_A, CLASS_IN, 60);
    put_32(0x0a000001);
    end_record();
    expect_answer(MUSTER__DNS_A, 1);
}

Test(dns_packet, passes_over_other_types_and_sections)
{
    begin(MUSTER__DNS_A);
    begin_record(ANSWER, "web.prod", 46, 1); /* RRSIG */
    put_32(0);
    end_record();
    add_a(1, 60);
    add_soa(1, 1);
    add_a_of(ADDITIONAL, "web.prod", 2, 1);
    add_aaaa_of(ADDITIONAL, "ns.prod", 1);
    expect_answer(MUSTER__DNS_A, 1);
    cr_assert_eq(answer->ttl_s, 60);
    cr_assert_eq(answer->n_extras, 0);
}

Test(dns_packet, counts_the_right_ones_among_wrong_owners)
{
    begin(MUSTER__DNS_A);
    add_a_of(ANSWER, "web.prod.evil", 9, 1);
    add_a(1, 60);
    add_a_of(ANSWER, "prod", 9, 1);
    expect_answer(MUSTER__DNS_A, 1);
    cr_assert_eq(answer->addresses[0].bytes[3], 1);
    cr_assert_eq(answer->ttl_s, 60);
}

Test(dns_packet, counts_the_right_ones_among_wrong_classes)
{
    begin(MUSTER__DNS_A);
    add_a_of_class(CLASS_CHAOS);
    add_a(2, 60);
    expect_answer(MUSTER__DNS_A, 1);
    cr_assert_eq(answer->addresses[0].bytes[3], 2);
}

/* ---- time to live ---- */

Test(dns_packet, takes_the_smallest_time_to_live)
{
    begin(MUSTER__DNS_A);
    add_a(1, 60);
    add_a(2, 7);
    add_a(3, 30);
    expect_answer(MUSTER__DNS_A, 3);
    cr_assert_eq(answer->ttl_s, 7);
}

Test(dns_packet, takes_the_smallest_time_to_live_of_the_chain)
{
    begin(MUSTER__DNS_A);
    add_cname("web.prod", "b", 60);
    add_cname("b", "c", 5);
    add_a_of(ANSWER, "c", 1, 30);
    expect_answer(MUSTER__DNS_A, 1);
    cr_assert_eq(answer->ttl_s, 5);
}

Test(dns_packet, reads_a_time_to_live_up_to_2_to_the_31)
{
    begin(MUSTER__DNS_A);
    add_a(1, INT32_MAX);
    expect_answer(MUSTER__DNS_A, 1);
    cr_assert_eq(answer->ttl_s, INT32_MAX);
}

Test(dns_packet, reads_a_larger_time_to_live_as_0)
{
    begin(MUSTER__DNS_A);
    add_a(1, 0x80000000);
    add_a(2, 60);
    expect_answer(MUSTER__DNS_A, 2);
    cr_assert_eq(answer->ttl_s, 0);
}

/* ---- chains ---- */

Test(dns_packet, follows_a_chain_in_any_order)
{
    begin(MUSTER__DNS_A);
    add_a_of(ANSWER, "c", 1, 60);
    add_cname("b", "c", 60);
    add_cname("web.prod", "b", 60);
    expect_answer(MUSTER__DNS_A, 1);
}

Test(dns_packet, follows_a_chain_of_64_links)
{
    begin(MUSTER__DNS_A);
    add_chain(64);
    add_a_of(ANSWER, "l64", 1, 60);
    expect_answer(MUSTER__DNS_A, 1);
}

/* ---- services ---- */

Test(dns_packet, reads_services)
{
    begin(MUSTER__DNS_SRV);
    add_srv(50051, "a.prod");
    add_srv(50052, "b.prod");
    expect_answer(MUSTER__DNS_SRV, 2);
    cr_assert_eq(answer->services[0].priority, 10);
    cr_assert_eq(answer->services[0].weight, 20);
    cr_assert_eq(answer->services[0].port, 50051);
    cr_assert_str_eq(answer->services[0].target, "a.prod");
    cr_assert_str_eq(answer->services[1].target, "b.prod");
}

Test(dns_packet, reads_targets_in_lower_case)
{
    begin(MUSTER__DNS_SRV);
    add_srv(1, "Web-1.PROD");
    expect_answer(MUSTER__DNS_SRV, 1);
    cr_assert_str_eq(answer->services[0].target, "web-1.prod");
}

Test(dns_packet, skips_services_at_port_0)
{
    begin(MUSTER__DNS_SRV);
    add_srv(0, "a.prod");
    add_srv(1, "b.prod");
    add_srv(0, "c.prod");
    expect_answer(MUSTER__DNS_SRV, 1);
    cr_assert_str_eq(answer->services[0].target, "b.prod");
}

Test(dns_packet, keeps_what_says_that_there_is_no_service)
{
    begin(MUSTER__DNS_SRV);
    add_srv(0, "");
    expect_answer(MUSTER__DNS_SRV, 1);
    cr_assert_str_eq(answer->services[0].target, "");
}

Test(dns_packet, reads_addresses_that_come_with_services)
{
    begin(MUSTER__DNS_SRV);
    add_srv(1, "a.prod");
    add_soa(1, 1);
    add_a_of(ADDITIONAL, "A.prod", 4, 9);
    add_aaaa_of(ADDITIONAL, "a.prod", 6);
    expect_answer(MUSTER__DNS_SRV, 1);
    cr_assert_eq(answer->n_extras, 2);
    cr_assert_str_eq(answer->extras[0].owner, "a.prod");
    cr_assert_eq(answer->extras[0].address.size, 4);
    cr_assert_eq(answer->extras[0].address.bytes[3], 4);
    cr_assert_eq(answer->extras[0].ttl_s, 9);
    cr_assert_eq(answer->extras[1].address.size, 16);
    cr_assert_eq(answer->extras[1].address.bytes[15], 6);
    cr_assert_eq(answer->ttl_s, 60);
}

Test(dns_packet, passes_over_what_else_comes_with_services)
{
    begin(MUSTER__DNS_SRV);
    add_srv(1, "a.prod");
    put_name("a.prod");
    begin_data(ADDITIONAL, MUSTER__DNS_A, CLASS_CHAOS, 60);
    put_32(1);
    end_record();
    put_name("");
    begin_data(ADDITIONAL, 41, 1232, 0); /* OPT, RFC 6891 */
    end_record();
    expect_answer(MUSTER__DNS_SRV, 1);
    cr_assert_eq(answer->n_extras, 0);
}

/* ---- texts ---- */

Test(dns_packet, joins_the_strings_of_a_text)
{
    begin(MUSTER__DNS_TXT);
    begin_record(ANSWER, "web.prod", MUSTER__DNS_TXT, 60);
    put("\3one\0\5 two!", 11);
    end_record();
    begin_record(ANSWER, "web.prod", MUSTER__DNS_TXT, 60);
    put("\0", 1);
    end_record();
    expect_answer(MUSTER__DNS_TXT, 2);
    cr_assert_str_eq(answer->texts[0], "one two!");
    cr_assert_str_eq(answer->texts[1], "");
}

Test(dns_packet, joins_long_strings)
{
    char part[255];

    memset(part, 'x', sizeof part);
    begin(MUSTER__DNS_TXT);
    begin_record(ANSWER, "web.prod", MUSTER__DNS_TXT, 60);
    for (int i = 0; i < 250; i++) {
        put_8(sizeof part);
        put(part, sizeof part);
    }
    end_record();
    expect_answer(MUSTER__DNS_TXT, 1);
    cr_assert_eq(strlen(answer->texts[0]), 250 * sizeof part);
}

/* ---- denials ---- */

Test(dns_packet, no_such_name_holds_as_long_as_the_soa_record)
{
    begin_with(MUSTER__DNS_A, 3);
    add_soa(20, 300);
    expect_denial(20);
}

Test(dns_packet, no_such_name_holds_as_long_as_the_soa_minimum)
{
    begin_with(MUSTER__DNS_A, 3);
    add_soa(300, 30);
    expect_denial(30);
}

Test(dns_packet, no_such_name_holds_no_longer_than_the_chain)
{
    begin_with(MUSTER__DNS_A, 3);
    add_cname("web.prod", "b", 4);
    add_soa(300, 30);
    expect_denial(4);
}

Test(dns_packet, no_such_name_may_not_say_how_long_it_holds)
{
    begin_with(MUSTER__DNS_A, 3);
    expect_denial(UINT64_MAX);
}

Test(dns_packet, a_soa_minimum_over_2_to_the_31_is_0)
{
    begin_with(MUSTER__DNS_A, 3);
    add_soa(300, UINT32_MAX);
    expect_denial(0);
}

Test(dns_packet, a_soa_record_denies_records_of_the_type)
{
    begin(MUSTER__DNS_A);
    add_soa(20, 300);
    expect_denial(20);
}

Test(dns_packet, a_reply_without_any_record_denies_them)
{
    begin(MUSTER__DNS_A);
    expect_denial(UINT64_MAX);
}

Test(dns_packet, a_soa_record_denies_records_at_the_end_of_a_chain)
{
    begin(MUSTER__DNS_A);
    add_cname("web.prod", "b", 10);
    add_soa(20, 300);
    expect_denial(10);
}

/* ---- many ---- */

static void add_many(unsigned n)
{
    begin(MUSTER__DNS_A);
    for (unsigned i = 0; i < n; i++) {
        put_pointer(HEADER_SIZE);
        begin_data(ANSWER, MUSTER__DNS_A, CLASS_IN, 60);
        put_32(0x0a000000 | i);
        end_record();
    }
}

static void expect_many(unsigned n)
{
    expect_answer(MUSTER__DNS_A, n);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *bytes = answer->addresses[i].bytes;

        cr_assert_eq((unsigned)bytes[2] << 8 | bytes[3], i);
    }
}

Test(dns_packet, reads_250_records)
{
    add_many(250);
    expect_many(250);
}

Test(dns_packet, reads_4000_records_in_time)
{
    add_many(4000);
    expect_many(4000);
    cr_assert_lt(reading_ns(MUSTER__DNS_A), limit_ns(TIME_MAX_MS));
}

/* ---- the answer ---- */

Test(dns_packet, an_answer_lives_while_it_is_referred_to)
{
    begin(MUSTER__DNS_SRV);
    add_srv(1, "a.prod");
    expect_answer(MUSTER__DNS_SRV, 1);
    cr_assert_eq(muster__dns_answer_ref(answer), answer);
    muster__dns_answer_unref(answer);
    cr_assert_str_eq(answer->services[0].target, "a.prod");
    muster__dns_answer_unref(NULL);
}
