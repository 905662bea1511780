/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of outlier_detection. */
#include "settings.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define MAX_EJECTION_NS (300 * NS_PER_S)

/* Where a rule is in the configuration, and its defaults. */
typedef struct outlier_form {
    const char *key;
    const char *limit_key;
    uint32_t least_limit;
    uint32_t most_limit;
    uint32_t limit;
    uint32_t minimum_hosts;
    uint32_t request_volume; /* 0: there is no such setting */
} outlier_form;

static const outlier_form forms[OUTLIER_N_METHODS] = {
    [OUTLIER_SUCCESS_RATE] = {"successRateEjection", "stdevFactor", 0,
                              UINT32_MAX, 1900, 5, 100},
    [OUTLIER_FAILURE_PERCENTAGE] = {"failurePercentageEjection", "threshold", 0,
                                    100, 85, 5, 50},
    [OUTLIER_FAILURES] = {"consecutiveFailureEjection", "threshold", 1,
                          UINT32_MAX, 5, 2, 0},
    [OUTLIER_GATEWAY_FAILURES] = {"consecutiveGatewayFailureEjection",
                                  "threshold", 1, UINT32_MAX, 5, 2, 0},
    [OUTLIER_LOCAL_FAILURES] = {"consecutiveLocalOriginFailureEjection",
                                "threshold", 1, UINT32_MAX, 5, 2, 0},
};

static void read_rule(config *settings, const outlier_form *form,
                      outlier_rule *ret_rule)
{
    config inner;

    *ret_rule = (outlier_rule){.limit = form->limit,
                               .enforcement_percentage = 100,
                               .minimum_hosts = form->minimum_hosts,
                               .request_volume = form->request_volume};
    if (!config_enter(settings, form->key, &inner)) {
        return;
    }
    ret_rule->is_set = true;
    config_integer(&inner, form->limit_key, form->least_limit, form->most_limit,
                   &ret_rule->limit);
    config_integer(&inner, "enforcementPercentage", 0, 100,
                   &ret_rule->enforcement_percentage);
    config_integer(&inner, "minimumHosts", 0, UINT32_MAX,
                   &ret_rule->minimum_hosts);
    if (form->request_volume != 0) {
        config_integer(&inner, "requestVolume", 0, UINT32_MAX,
                       &ret_rule->request_volume);
    }
    config_leave(settings, &inner);
}

void outlier_settings_read(config *settings, outlier_settings *ret_self)
{
    *ret_self = (outlier_settings){.interval_ns = 10 * NS_PER_S,
                                   .base_ejection_ns = 30 * NS_PER_S,
                                   .max_ejection_ns = MAX_EJECTION_NS,
                                   .max_ejection_percent = 10};
    config_duration(settings, "interval", &ret_self->interval_ns);
    config_duration(settings, "baseEjectionTime", &ret_self->base_ejection_ns);
    config_duration(settings, "maxEjectionTime", &ret_self->max_ejection_ns);
    config_integer(settings, "maxEjectionPercent", 0, 100,
                   &ret_self->max_ejection_percent);
    for (int i = 0; i < OUTLIER_N_METHODS; i++) {
        read_rule(settings, &forms[i], &ret_self->rules[i]);
        ret_self->has_rules |= ret_self->rules[i].is_set;
    }
    if (ret_self->interval_ns < NS_PER_MS) {
        ret_self->interval_ns = NS_PER_MS; /* as often as timers can run */
    }
    if (ret_self->max_ejection_ns < ret_self->base_ejection_ns) {
        ret_self->max_ejection_ns = ret_self->base_ejection_ns; /* A50 */
    }
}
