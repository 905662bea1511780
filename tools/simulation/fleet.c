/* SPDX-License-Identifier: Apache-2.0 */
/* The servers of a simulation. */
#include "fleet.h"

#include <stdlib.h>

#include "draw.h"

bool fleet_begin_call(fleet_calls *self, uint64_t now_ns, uint32_t *ret_number)
{
    if (self->n == self->n_max) {
        size_t n_max = self->n_max == 0 ? 4096 : 2 * self->n_max;
        fleet_call *more = realloc(self->of, n_max * sizeof *more);

        if (more == NULL || n_max >= FLEET_NOBODY) {
            return false;
        }
        self->of = more;
        self->n_max = n_max;
    }
    self->of[self->n] = (fleet_call){
        .begin_ns = now_ns, .server = FLEET_NOBODY, .next = FLEET_NOBODY};
    *ret_number = (uint32_t)self->n++;
    return true;
}

fleet_server fleet_server_open(const scenario_server *model)
{
    return (fleet_server){.model = model,
                          .speed = model->speed,
                          .speed_before = model->speed,
                          .errors = model->errors,
                          .extra_ns = model->extra_ns,
                          .waiting = fleet_list_none(),
                          .is_listed = model->is_listed};
}

static double speed_at(const fleet_server *self, uint64_t now_ns)
{
    uint64_t length_ns = self->ramp_end_ns - self->ramp_begin_ns;
    double share;

    if (now_ns >= self->ramp_end_ns || length_ns == 0) {
        return self->speed;
    }
    share = (double)(now_ns - self->ramp_begin_ns) / (double)length_ns;
    return self->speed_before + share * (self->speed - self->speed_before);
}

static void change_speed(fleet_server *self, const scenario_change *change,
                         uint64_t now_ns)
{
    self->speed_before = speed_at(self, now_ns);
    self->speed = change->speed;
    self->ramp_begin_ns = now_ns;
    self->ramp_end_ns = now_ns + change->ramp_ns;
}

static void change_state(fleet_server *self, scenario_state state)
{
    if (state == SCENARIO_LISTED || state == SCENARIO_GONE) {
        self->is_listed = state == SCENARIO_LISTED;
    } else if (state != SCENARIO_SAME) {
        self->is_down = state == SCENARIO_DOWN;
        self->is_hung = state == SCENARIO_HUNG;
    }
}

void fleet_server_change(fleet_server *self, const scenario_change *change,
                         uint64_t now_ns)
{
    if (change->speed > 0) {
        change_speed(self, change, now_ns);
    }
    if (change->errors >= 0) {
        self->errors = change->errors;
    }
    if (change->extra_ns != SCENARIO_NEVER) {
        self->extra_ns = change->extra_ns;
    }
    change_state(self, change->state);
}

uint64_t fleet_service_ns(const fleet_server *self, uint64_t seed,
                          uint32_t number, uint64_t now_ns)
{
    const scenario_server *model = self->model;
    double factor = draw_pause(seed, DRAW_SERVICE, number);

    if (model->distribution == SCENARIO_UNIFORM) {
        double share = draw_share(seed, DRAW_SERVICE, number);

        factor = 1 + model->spread * (2 * share - 1);
    }
    return self->extra_ns +
           draw_ns((double)model->service_ns * factor / speed_at(self, now_ns));
}

/* ---- lists ---- */

fleet_list fleet_list_none(void)
{
    return (fleet_list){FLEET_NOBODY, FLEET_NOBODY};
}

void fleet_list_add(fleet_calls *calls, fleet_list *list, uint32_t number)
{
    calls->of[number].next = FLEET_NOBODY;
    if (list->first == FLEET_NOBODY) {
        list->first = number;
    } else {
        calls->of[list->last].next = number;
    }
    list->last = number;
}

uint32_t fleet_list_take(const fleet_calls *calls, fleet_list *list)
{
    uint32_t number = list->first;

    while (number != FLEET_NOBODY && calls->of[number].end_ns != 0) {
        number = calls->of[number].next;
    }
    list->first =
        number == FLEET_NOBODY ? FLEET_NOBODY : calls->of[number].next;
    return number;
}
