/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the sticky balancer: equal keys, equal endpoints. */
#include <muster/testkit.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENDPOINTS = 3, KEYS = 100 };

const muster_plugin *muster_builtin_sticky(void);

static uint32_t pick(muster_testkit_balancer *kit, const char *key)
{
    const muster_call_info call = {.struct_size = sizeof call, .hash_key = key};
    muster_testkit_pick picked;

    muster_testkit_balancer_pick(kit, &call, 0, &picked);
    muster_testkit_balancer_done(kit, picked.id, NULL);
    return picked.index;
}

/* Whether each key stays where it is, and every endpoint has some. */
static int is_sticky(muster_testkit_balancer *kit)
{
    int counts[ENDPOINTS] = {0};
    int is_good = 1;

    for (int i = 0; i < KEYS; i++) {
        char key[16];
        uint32_t index;

        (void)snprintf(key, sizeof key, "key-%d", i);
        index = pick(kit, key);
        counts[index]++;
        is_good = is_good && pick(kit, key) == index;
    }
    for (int i = 0; i < ENDPOINTS; i++) {
        is_good = is_good && counts[i] > 0;
    }
    return is_good;
}

int main(void)
{
    const muster_endpoint endpoints[ENDPOINTS] = {{.address = "10.0.0.1:1"},
                                                  {.address = "10.0.0.2:1"},
                                                  {.address = "10.0.0.3:1"}};
    const muster_testkit_balancer_options options = {
        .struct_size = sizeof options,
        .policy = muster_builtin_sticky()->balancers[0],
    };
    muster_testkit_balancer *kit;
    muster_error err;
    int is_good;

    if (muster_testkit_balancer_create(&options, &kit, &err) != MUSTER_OK) {
        fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    (void)muster_testkit_balancer_set(kit, endpoints, ENDPOINTS, MUSTER_READY);
    is_good = muster_testkit_balancer_publish(kit, &err) == MUSTER_OK &&
              is_sticky(kit);
    muster_testkit_balancer_destroy(kit); /* aborts if a rule was broken */
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
