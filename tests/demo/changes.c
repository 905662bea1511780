/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to the list. */
#include "demo.h"

#include <stdio.h>

static unsigned listed_now;

static void note_added(demo_world *demo, unsigned listed)
{
    unsigned added = listed & ~listed_now;

    for (int i = 0; i < DEMO_BACKENDS; i++) {
        bool is_added = (added >> i & 1) != 0;
        bool is_removed = (listed >> i & 1) == 0;
        if (is_added) {
            atomic_store(&demo->backends[i].added_ns, demo_now_ns());
        } else if (is_removed) {
            atomic_store(&demo->backends[i].added_ns, 0);
        }
    }
    listed_now = listed;
}

bool demo_write_list(demo_world *demo, unsigned listed, const unsigned *weights,
                     bool is_reversed)
{
    char name[112];
    FILE *out;

    (void)snprintf(name, sizeof name, "%s.new", demo->file);
    out = fopen(name, "w");
    if (out == NULL) {
        return false;
    }
    for (int k = 0; k < DEMO_BACKENDS; k++) {
        int i = is_reversed ? DEMO_BACKENDS - 1 - k : k;
        if ((listed >> i & 1) != 0) {
            (void)fprintf(out, "%s;weight=%u\n",
                          demo->backends[i].process.address,
                          weights == NULL ? 1 : weights[i]);
        }
    }
    if (fclose(out) != 0) {
        return false;
    }
    note_added(demo, listed);
    demo->n_changes++;
    return rename(name, demo->file) == 0;
}

bool demo_change(demo_world *demo, unsigned step)
{
    static const unsigned weights[DEMO_BACKENDS] = {1, 2, 3, 4, 5};
    static const struct {
        unsigned listed;
        bool is_weighted;
        bool is_reversed;
    } changes[] = {
        {0x1f, false, false}, /* all five */
        {0x0f, false, false}, /* one removed */
        {0x1f, false, false}, /* and added */
        {0x1f, false, true},  /* reordered */
        {0x1f, true, false},  /* re-weighted */
        {0x1f, false, false}, /* and back */
        {0x03, false, false}, /* three removed */
        {0x1c, false, false}, /* replaced by the other three */
        {0x03, false, false}, /* and replaced again */
        {0x07, false, false}, /* one added */
    };
    const unsigned n = sizeof changes / sizeof *changes;

    return demo_write_list(demo, changes[step % n].listed,
                           changes[step % n].is_weighted ? weights : NULL,
                           changes[step % n].is_reversed);
}
