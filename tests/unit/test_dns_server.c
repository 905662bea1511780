/* SPDX-License-Identifier: Apache-2.0 */
/* The hostile DNS server does what its rules say. */
#include <criterion/criterion.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_asking.h"
#include "dns_server.h"
#include "loopback_port.h"

enum { SHORT_MS = 50, WAIT_MS = 5000 };

#define NAME "www.example.test"

static dns_server *server;

static void start(void)
{
    server = dns_server_start(false);
}

static void stop(void)
{
    dns_server_stop(server);
}

TestSuite(dns_server, .init = start, .fini = stop);

static const asked *ask_for(int type)
{
    return ask(dns_server_address(server), NAME, type);
}

static int n_records(const asked *reply, dns_section section)
{
    const uint8_t *count = reply->reply + 6 + 2 * section;

    return count[0] << 8 | count[1];
}

/* For what is not to be answered. */
static int status_of(int flags)
{
    return ask_within(dns_server_address(server), NAME, ns_t_a, SHORT_MS, flags)
        ->status;
}

static void answer_with(const char *address)
{
    const dns_record record = dns_a(address, 7);

    dns_server_answer(server, NAME, DNS_TYPE_A, &record, 1);
}

static void put(const dns_rule *rule)
{
    dns_server_put(server, rule);
}

static int open_udp(void)
{
    const int fd = loopback_bind(AF_INET, SOCK_DGRAM, 0);

    cr_assert_geq(fd, 0);
    return fd;
}

static void send_query(int fd, uint16_t id, const char *name)
{
    uint8_t bytes[DNS_UDP_SIZE];
    struct sockaddr_storage address;
    const socklen_t size =
        loopback_address(AF_INET, dns_server_port(server), &address);
    dns_writer query = dns_writer_over(bytes, sizeof bytes);

    dns_write_query(&query, id, name, DNS_TYPE_A);
    cr_assert_eq(
        sendto(fd, bytes, query.length, 0, (struct sockaddr *)&address, size),
        (ssize_t)query.length);
}

/* Waits for a reply, and returns its size. */
static size_t receive(int fd, uint8_t *reply)
{
    struct pollfd waited = {.fd = fd, .events = POLLIN};

    cr_assert_eq(poll(&waited, 1, WAIT_MS), 1);
    return (size_t)recv(fd, reply, DNS_MESSAGE_SIZE, 0);
}

/* As bytes, over UDP. */
static size_t exchange(int fd, uint8_t *reply)
{
    send_query(fd, 4711, NAME);
    return receive(fd, reply);
}

static dns_question question_of_reply(void)
{
    static uint8_t reply[DNS_MESSAGE_SIZE];
    const int fd = open_udp();
    dns_question question;

    cr_assert(dns_read_question(reply, exchange(fd, reply), &question));
    cr_assert_eq(close(fd), 0);
    return question;
}

/* ---- answers ---- */

Test(dns_server, refuses_without_rules)
{
    cr_assert_eq(ask_for(ns_t_a)->status, ARES_EREFUSED);
}

Test(dns_server, answers_with_records)
{
    const asked *reply;

    answer_with("10.0.0.5");
    reply = ask_for(ns_t_a);
    cr_assert_eq(reply->n, 1);
    cr_assert_eq(address_at(reply, 0), 0x0a000005);
    cr_assert_eq(reply->addresses[0].ttl, 7);
    cr_assert_eq(ask_for(ns_t_aaaa)->status, ARES_EREFUSED);
}

Test(dns_server, answers_on_ipv6)
{
    dns_server *other = dns_server_start(true);
    const dns_record record = dns_a("10.0.0.5", 7);

    dns_server_answer(other, NULL, 0, &record, 1);
    cr_assert_eq(ask(dns_server_address(other), NAME, ns_t_a)->n, 1);
    dns_server_stop(other);
}

Test(dns_server, writes_srv_records_and_their_addresses)
{
    const dns_record records[] = {
        dns_placed(DNS_ADDITIONAL, dns_owned("a.test", dns_a("10.0.0.1", 1))),
        dns_srv(1, 5, 4711, "a.test", 9), dns_srv(2, 0, 0, ".", 9)};
    struct ares_srv_reply *found = NULL;
    const asked *reply;

    dns_server_answer(server, NAME, DNS_TYPE_SRV, records, 3);
    reply = ask_for(ns_t_srv);
    cr_assert_eq(ares_parse_srv_reply(reply->reply, reply->size, &found),
                 ARES_SUCCESS);
    cr_assert_str_eq(found->host, "a.test");
    cr_assert_eq(found->priority, 1);
    cr_assert_eq(found->weight, 5);
    cr_assert_eq(found->port, 4711);
    cr_assert_str_eq(found->next->host, "");
    cr_assert_eq(n_records(reply, DNS_ADDITIONAL), 1);
    ares_free_data(found);
}

Test(dns_server, cuts_long_texts_into_strings)
{
    char text[301] = "";
    const dns_record record = dns_txt(text, 1);
    struct ares_txt_ext *found = NULL;
    const asked *reply;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    dns_server_answer(server, NAME, DNS_TYPE_TXT, &record, 1);
    reply = ask_for(ns_t_txt);
    cr_assert_eq(ares_parse_txt_reply_ext(reply->reply, reply->size, &found),
                 ARES_SUCCESS);
    cr_assert_eq(found->length, 255);
    cr_assert_eq(found->next->length, 45);
    cr_assert_eq(found->next->record_start, 0);
    ares_free_data(found);
}

Test(dns_server, answers_negatively_with_a_soa)
{
    const dns_record soa = dns_soa(30, 60);
    const asked *reply;

    put(&(dns_rule){
        .rcode = DNS_RCODE_NXDOMAIN, .records = &soa, .n_records = 1});
    reply = ask_for(ns_t_a);
    cr_assert_eq(reply->status, ARES_ENOTFOUND);
    cr_assert_eq(n_records(reply, DNS_AUTHORITY), 1);
}

Test(dns_server, fails_with_any_rcode)
{
    const struct {
        unsigned rcode;
        int status;
    } cases[] = {{DNS_RCODE_SERVFAIL, ARES_ESERVFAIL},
                 {DNS_RCODE_NXDOMAIN, ARES_ENOTFOUND},
                 {DNS_RCODE_NOTIMP, ARES_ENOTIMP},
                 {DNS_RCODE_REFUSED, ARES_EREFUSED},
                 {DNS_RCODE_NOERROR, ARES_ENODATA}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dns_server_fail(server, NAME, 0, cases[i].rcode);
        cr_assert_eq(ask_for(ns_t_a)->status, cases[i].status);
    }
}

Test(dns_server, answers_4000_addresses_over_tcp)
{
    put(&(dns_rule){.action = DNS_ADDRESSES, .n = 4000, .ttl = 0x80000000u});
    cr_assert_eq(ask_for(ns_t_a)->n, 4000);
    cr_assert_eq(dns_server_count_over(server, NAME, 0, DNS_UDP), 1);
    cr_assert_eq(dns_server_count_over(server, NAME, 0, DNS_TCP), 1);
}

Test(dns_server, truncates_to_what_the_client_takes)
{
    put(&(dns_rule){.action = DNS_ADDRESSES, .n = 40});
    cr_assert_eq(ask_within(dns_server_address(server), NAME, ns_t_a, WAIT_MS,
                            ARES_FLAG_EDNS)
                     ->n,
                 40);
    cr_assert_eq(dns_server_count_over(server, NULL, 0, DNS_TCP), 0);
    cr_assert_eq(ask_for(ns_t_a)->n, 40);
    cr_assert_eq(dns_server_count_over(server, NULL, 0, DNS_TCP), 1);
}

Test(dns_server, answers_with_a_chain)
{
    const asked *reply;

    put(&(dns_rule){.action = DNS_CNAME_CHAIN, .n = 64, .ttl = 5});
    reply = ask_for(ns_t_a);
    cr_assert_eq(reply->n, 1);
    cr_assert_eq(n_records(reply, DNS_ANSWER), 65);
}

/* ---- faults ---- */

Test(dns_server, drops)
{
    put(&(dns_rule){.action = DNS_DROP});
    cr_assert_eq(status_of(0), ARES_ETIMEOUT);
    cr_assert_eq(status_of(ARES_FLAG_USEVC), ARES_ETIMEOUT);
    cr_assert(dns_server_await(server, NAME, DNS_TYPE_A, 2, WAIT_MS));
    cr_assert_eq(dns_server_count(server, NAME, DNS_TYPE_A), 2);
}

Test(dns_server, truncates_and_answers_in_full_over_tcp)
{
    answer_with("10.0.0.5");
    put(&(dns_rule){.transport = DNS_UDP, .faults = DNS_TRUNCATED});
    cr_assert_eq(ask_for(ns_t_a)->n, 1);
    cr_assert_eq(dns_server_count_over(server, NAME, 0, DNS_TCP), 1);
}

Test(dns_server, truncates_with_half_of_the_records)
{
    put(&(dns_rule){.action = DNS_ADDRESSES, .n = 8, .faults = DNS_TRUNCATED});
    cr_assert_eq(ask_within(dns_server_address(server), NAME, ns_t_a, WAIT_MS,
                            ARES_FLAG_IGNTC)
                     ->n,
                 4);
}

Test(dns_server, closes_in_the_middle_of_a_message)
{
    answer_with("10.0.0.5");
    put(&(dns_rule){.transport = DNS_TCP, .faults = DNS_CLOSE});
    cr_assert_neq(ask_within(dns_server_address(server), NAME, ns_t_a, WAIT_MS,
                             ARES_FLAG_USEVC)
                      ->status,
                  ARES_SUCCESS);
    cr_assert_eq(dns_server_count_over(server, NAME, 0, DNS_TCP), 1);
}

Test(dns_server, answers_with_the_wrong_id)
{
    put(&(dns_rule){.rcode = DNS_RCODE_NXDOMAIN, .faults = DNS_WRONG_ID});
    cr_assert_eq(status_of(0), ARES_ETIMEOUT);
    cr_assert_eq(question_of_reply().id, 4712);
}

Test(dns_server, answers_another_question)
{
    put(&(dns_rule){
        .action = DNS_ADDRESSES, .n = 1, .faults = DNS_WRONG_QUESTION});
    cr_assert_eq(status_of(0), ARES_ETIMEOUT);
    cr_assert_str_eq(question_of_reply().name, "wrong.question.test");
}

Test(dns_server, answers_from_another_port)
{
    put(&(dns_rule){.action = DNS_ADDRESSES, .n = 1, .faults = DNS_WRONG_PORT});
    cr_assert_eq(status_of(0), ARES_ETIMEOUT);
    cr_assert_eq(question_of_reply().id, 4711);
}

Test(dns_server, spoils_the_records)
{
    const unsigned faults[] = {DNS_WRONG_OWNER, DNS_WRONG_CLASS};

    for (size_t i = 0; i < 2; i++) {
        const asked *reply;

        put(&(dns_rule){.action = DNS_ADDRESSES, .n = 3, .faults = faults[i]});
        reply = ask_for(ns_t_a);
        cr_assert_eq(reply->status, ARES_SUCCESS);
        cr_assert_eq(n_records(reply, DNS_ANSWER), 3);
        cr_assert_eq(reply->n, 0);
    }
}

Test(dns_server, answers_with_loops)
{
    const asked *reply;

    put(&(dns_rule){.action = DNS_CNAME_LOOP});
    reply = ask_for(ns_t_a);
    cr_assert_eq(n_records(reply, DNS_ANSWER), 2);
    cr_assert_eq(reply->n, 0);
    put(&(dns_rule){.action = DNS_COMPRESSION_LOOP});
    reply = ask_for(ns_t_a);
    cr_assert_eq(n_records(reply, DNS_ANSWER), 1);
    cr_assert_eq(reply->n, 0);
}

Test(dns_server, answers_twice)
{
    static uint8_t reply[DNS_MESSAGE_SIZE];
    const int fd = open_udp();

    put(&(dns_rule){.faults = DNS_TWICE});
    cr_assert_gt(exchange(fd, reply), 0);
    cr_assert_gt(receive(fd, reply), 0);
    cr_assert_eq(close(fd), 0);
}

Test(dns_server, answers_with_bytes)
{
    static uint8_t reply[DNS_MESSAGE_SIZE];
    const uint8_t bytes[] = {0x81, 0x80, 1, 2, 3};
    const int fd = open_udp();

    put(&(dns_rule){
        .action = DNS_BYTES, .bytes = bytes, .n_bytes = sizeof bytes});
    cr_assert_eq(exchange(fd, reply), 2 + sizeof bytes);
    cr_assert_eq(memcmp(reply + 2, bytes, sizeof bytes), 0);
    put(&(dns_rule){.action = DNS_GARBAGE, .n = 600});
    cr_assert_eq(exchange(fd, reply), 602);
    put(&(dns_rule){.action = DNS_ADDRESSES, .n = 9, .cut = 33});
    cr_assert_eq(exchange(fd, reply), 33);
    cr_assert_eq(close(fd), 0);
}

static void expect_reply(int fd, uint16_t id)
{
    static uint8_t reply[DNS_MESSAGE_SIZE];
    dns_question question;

    cr_assert(dns_read_question(reply, receive(fd, reply), &question));
    cr_assert_eq(question.id, id);
}

Test(dns_server, delays_one_and_answers_others_meanwhile)
{
    const int fd = open_udp();

    put(&(dns_rule){.name = "slow.test", .delay_ms = 1500});
    send_query(fd, 1, "slow.test");
    cr_assert(dns_server_await(server, "slow.test", 0, 1, WAIT_MS));
    send_query(fd, 2, "quick.test");
    expect_reply(fd, 2);
    expect_reply(fd, 1);
    cr_assert_eq(close(fd), 0);
}

/* ---- rules and queries ---- */

Test(dns_server, follows_the_newest_rule)
{
    answer_with("10.0.0.5");
    dns_server_fail(server, NULL, 0, DNS_RCODE_SERVFAIL);
    cr_assert_eq(ask_for(ns_t_a)->status, ARES_ESERVFAIL);
    dns_server_remove(server, NULL, 0, DNS_ANY_TRANSPORT);
    cr_assert_eq(ask_for(ns_t_a)->n, 1);
    answer_with("10.0.0.6");
    cr_assert_eq(address_at(ask_for(ns_t_a), 0), 0x0a000006);
    dns_server_remove(server, "WWW.example.test.", DNS_TYPE_A,
                      DNS_ANY_TRANSPORT);
    cr_assert_eq(ask_for(ns_t_a)->status, ARES_EREFUSED);
}

Test(dns_server, follows_a_rule_so_many_times)
{
    put(&(dns_rule){.name = NAME,
                    .type = DNS_TYPE_A,
                    .times = 2,
                    .rcode = DNS_RCODE_SERVFAIL});
    answer_with("10.0.0.4");
    answer_with("10.0.0.5");
    cr_assert_eq(ask_for(ns_t_a)->status, ARES_ESERVFAIL);
    cr_assert_eq(ask_for(ns_t_a)->status, ARES_ESERVFAIL);
    cr_assert_eq(address_at(ask_for(ns_t_a), 0), 0x0a000005);
    dns_server_clear(server);
    cr_assert_eq(ask_for(ns_t_a)->status, ARES_EREFUSED);
}

Test(dns_server, records_queries)
{
    dns_query first;
    dns_query second;

    (void)ask_for(ns_t_a);
    (void)ask_for(ns_t_aaaa);
    cr_assert(dns_server_await(server, NAME, 0, 2, WAIT_MS));
    cr_assert_not(dns_server_await(server, NAME, DNS_TYPE_A, 2, 1));
    cr_assert_eq(dns_server_count(server, "other.test", 0), 0);
    cr_assert(dns_server_query(server, NULL, 0, 0, &first));
    cr_assert(dns_server_query(server, NULL, 0, 1, &second));
    cr_assert_not(dns_server_query(server, NULL, 0, 2, &second));
    cr_assert_str_eq(first.name, NAME);
    cr_assert_eq(first.type, DNS_TYPE_A);
    cr_assert_eq(first.transport, DNS_UDP);
    cr_assert_leq(first.time_ns, second.time_ns);
    dns_server_forget(server);
    cr_assert_eq(dns_server_count(server, NULL, 0), 0);
}

/* ---- outages ---- */

Test(dns_server, is_silent_while_paused)
{
    answer_with("10.0.0.5");
    dns_server_pause(server);
    cr_assert_eq(status_of(0), ARES_ETIMEOUT);
    cr_assert(dns_server_await(server, NAME, 0, 1, WAIT_MS));
    cr_assert_eq(dns_server_count(server, NAME, 0), 1);
    dns_server_resume(server);
    cr_assert_eq(ask_for(ns_t_a)->n, 1);
}

Test(dns_server, refuses_connections_while_closed)
{
    answer_with("10.0.0.5");
    dns_server_close(server, DNS_ANY_TRANSPORT);
    cr_assert_eq(ask_for(ns_t_a)->status, ARES_ECONNREFUSED);
    dns_server_reopen(server, DNS_UDP);
    cr_assert_eq(ask_for(ns_t_a)->n, 1);
    cr_assert_eq(ask_within(dns_server_address(server), NAME, ns_t_a, WAIT_MS,
                            ARES_FLAG_USEVC)
                     ->status,
                 ARES_ECONNREFUSED);
    dns_server_reopen(server, DNS_TCP);
    cr_assert_eq(ask_within(dns_server_address(server), NAME, ns_t_a, WAIT_MS,
                            ARES_FLAG_USEVC)
                     ->n,
                 1);
}
