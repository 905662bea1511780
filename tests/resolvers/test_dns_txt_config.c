/* SPDX-License-Identifier: Apache-2.0 */
/* Service config in TXT records: which choice is taken, and what is refused. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <txt_config.h>

#define ONE "grpc_config=[{\"serviceConfig\":{\"a\":1}}]"

static char *json;
static muster_error err;

static void forget_json(void)
{
    free(json);
    json = NULL;
}

TestSuite(dns_txt_config, .fini = forget_json);

static muster_status choose_of(const char *text, unsigned percentile)
{
    const muster__dns_client client = {"host-1", percentile};

    forget_json();
    err.message[0] = '\0';
    return muster__dns_txt_config(&text, 1, &client, &json, &err);
}

/* choices, with 'quotes', are the list; json is what is expected. */
static muster_status choose_at(const char *choices, unsigned percentile)
{
    char text[1024];
    char *quote;

    snprintf(text, sizeof text, "grpc_config=%s", choices);
    for (quote = text; (quote = strchr(quote, '\'')) != NULL;) {
        *quote = '"';
    }
    return choose_of(text, percentile);
}

static void expect_choice(const char *choices, const char *expected)
{
    cr_assert_eq(choose_at(choices, 50), MUSTER_OK, "%s", err.message);
    cr_assert_not_null(json);
    cr_assert_str_eq(json, expected);
}

static void expect_none(const char *choices)
{
    cr_assert_eq(choose_at(choices, 50), MUSTER_OK, "%s", err.message);
    cr_assert_null(json);
}

static void expect_refused(const char *choices, const char *said)
{
    cr_assert_eq(choose_at(choices, 50), MUSTER_INVAL);
    cr_assert_not_null(strstr(err.message, said), "%s", err.message);
    cr_assert_null(json);
}

/* ---- records ---- */

Test(dns_txt_config, finds_its_record_among_others)
{
    const char *const texts[] = {"v=spf1 -all", "", "grpc_config",
                                 "xgrpc_config=[]", ONE};
    const muster__dns_client client = {"host-1", 0};

    cr_assert_eq(muster__dns_txt_config(texts, 5, &client, &json, &err),
                 MUSTER_OK);
    cr_assert_str_eq(json, "{\"a\":1}");
}

Test(dns_txt_config, has_nothing_without_its_record)
{
    const muster__dns_client client = {"host-1", 0};

    cr_assert_eq(choose_of("v=spf1 -all", 0), MUSTER_OK);
    cr_assert_null(json);
    cr_assert_eq(muster__dns_txt_config(NULL, 0, &client, &json, &err),
                 MUSTER_OK);
    cr_assert_null(json);
}

/* ---- choices ---- */

Test(dns_txt_config, takes_a_choice_without_conditions)
{
    expect_choice("[{'serviceConfig':{'b':1,'a':[]}}]", "{\"a\":[],\"b\":1}");
}

Test(dns_txt_config, takes_the_first_that_fits)
{
    expect_choice("[{'clientLanguage':['go'],'serviceConfig':{'a':1}},"
                  "{'serviceConfig':{'a':2}},{'serviceConfig':{'a':3}}]",
                  "{\"a\":2}");
}

Test(dns_txt_config, takes_nothing_when_none_fits)
{
    expect_none("[]");
    expect_none("[{'clientLanguage':['go'],'serviceConfig':{}}]");
}

Test(dns_txt_config, speaks_c_and_cpp)
{
    expect_choice("[{'clientLanguage':['java','C'],'serviceConfig':{}}]", "{}");
    expect_choice("[{'clientLanguage':['C++'],'serviceConfig':{}}]", "{}");
    expect_choice("[{'clientLanguage':['c++'],'serviceConfig':{}}]", "{}");
    expect_none("[{'clientLanguage':['c#','cc'],'serviceConfig':{}}]");
}

Test(dns_txt_config, fits_its_host_only)
{
    expect_choice("[{'clientHostname':['x','HOST-1'],'serviceConfig':{}}]",
                  "{}");
    expect_none("[{'clientHostname':['host-2'],'serviceConfig':{}}]");
}

Test(dns_txt_config, takes_an_empty_condition_for_none)
{
    expect_choice("[{'clientHostname':[],'clientLanguage':[],"
                  "'serviceConfig':{}}]",
                  "{}");
}

Test(dns_txt_config, fits_under_the_percentage)
{
    const char *choices = "[{'percentage':30,'serviceConfig':{}}]";

    cr_assert_eq(choose_at(choices, 29), MUSTER_OK);
    cr_assert_not_null(json);
    cr_assert_eq(choose_at(choices, 30), MUSTER_OK);
    cr_assert_null(json);
}

Test(dns_txt_config, nobody_is_under_0_and_everybody_under_100)
{
    cr_assert_eq(choose_at("[{'percentage':0,'serviceConfig':{}}]", 0),
                 MUSTER_OK);
    cr_assert_null(json);
    cr_assert_eq(choose_at("[{'percentage':100,'serviceConfig':{}}]", 99),
                 MUSTER_OK);
    cr_assert_not_null(json);
}

Test(dns_txt_config, asks_for_all_conditions)
{
    expect_none("[{'clientLanguage':['c'],'percentage':1,"
                "'serviceConfig':{}}]");
    expect_none("[{'clientLanguage':['c'],'percentage':99,"
                "'clientHostname':['x'],'serviceConfig':{}}]");
}

/* ---- refusals ---- */

Test(dns_txt_config, an_unexpected_field_invalidates_all)
{
    expect_refused("[{'serviceConfig':{}},{'serviceConfig':{},'percent':1}]",
                   "grpc_config[1]: unknown key \"percent\"; expected "
                   "clientLanguage");
}

Test(dns_txt_config, a_wrong_type_invalidates_all)
{
    expect_refused("{}", "grpc_config: expected an array of choices");
    expect_refused("[{'serviceConfig':{}},1]",
                   "grpc_config[1]: expected an object, got a number");
    expect_refused("[{'serviceConfig':'x'}]",
                   "grpc_config[0].serviceConfig: expected an object, got a "
                   "string");
    expect_refused("[{'serviceConfig':{},'clientLanguage':'c'}]",
                   "grpc_config[0].clientLanguage: expected an array of "
                   "strings, got a string");
    expect_refused("[{'serviceConfig':{},'clientHostname':[1]}]",
                   "grpc_config[0].clientHostname: expected an array of "
                   "strings only, got a number");
}

Test(dns_txt_config, a_percentage_is_a_whole_number_up_to_100)
{
    expect_refused("[{'serviceConfig':{},'percentage':'5'}]",
                   "grpc_config[0].percentage: expected a whole number from 0 "
                   "to 100, got a string");
    expect_refused("[{'serviceConfig':{},'percentage':5.5}]", "got a number");
    expect_refused("[{'serviceConfig':{},'percentage':101}]", "got 101");
    expect_refused("[{'serviceConfig':{},'percentage':-1}]", "got -1");
}

Test(dns_txt_config, a_choice_has_a_service_config)
{
    expect_refused("[{'percentage':5}]",
                   "grpc_config[0].serviceConfig: expected an object, got "
                   "nothing");
}

Test(dns_txt_config, says_where_json_is_wrong)
{
    expect_refused("[{]", "grpc_config, line 1, column 3: ");
    expect_refused("", "grpc_config, line 1, column 0: ");
    expect_refused("[] x", "grpc_config, line 1, column 4: ");
    expect_refused("[{'serviceConfig':{},'serviceConfig':{}}]", "duplicate");
}

Test(dns_txt_config, is_ascii)
{
    expect_refused("['\xc3\xa4']", "byte 3: 0xc3 is not ASCII text");
    expect_refused("['\x01']", "byte 3: 0x01 is not ASCII text");
}

Test(dns_txt_config, has_at_most_64_kilobytes)
{
    enum { SIZE = 12 + 64 * 1024 };
    char *text = malloc(SIZE + 2);

    cr_assert_not_null(text);
    memset(text, ' ', SIZE + 2);
    memcpy(text, ONE, strlen(ONE));
    text[SIZE] = '\0';
    cr_assert_eq(choose_of(text, 0), MUSTER_OK, "%s", err.message);
    cr_assert_not_null(json);
    text[SIZE] = ' ';
    text[SIZE + 1] = '\0';
    cr_assert_eq(choose_of(text, 0), MUSTER_INVAL);
    cr_assert_str_eq(err.message, "grpc_config: 65537 bytes; at most 65536");
    free(text);
}

Test(dns_txt_config, survives_depth)
{
    char *text = calloc(1, 64 * 1024);

    cr_assert_not_null(text);
    memset(text, '[', 64 * 1024 - 1);
    memcpy(text, "grpc_config=", 12);
    cr_assert_eq(choose_of(text, 0), MUSTER_INVAL);
    free(text);
}
