/* SPDX-License-Identifier: Apache-2.0 */
/* The scenario by which policies that learn are judged (after the table of
 * apache/brpc#3340): four endpoints, some of them slow, each serving any number
 * of calls at a time, as servers that wait rather than compute do. */
#ifndef MUSTER_TESTS_FOUR_ENDPOINTS_H
#define MUSTER_TESTS_FOUR_ENDPOINTS_H

enum {
    FOUR_ENDPOINTS_N = 4,
    FOUR_ENDPOINTS_CALLS = 400000,
    FOUR_ENDPOINTS_CALLS_PER_S = 4000, /* Poisson */
    FOUR_ENDPOINTS_SERVICE_NS = 300000,
    FOUR_ENDPOINTS_SPREAD_NS = 90000, /* more or less, evenly */
    FOUR_ENDPOINTS_SLOW_NS = 5000000  /* what slow ones take besides */
};

#endif
