/* SPDX-License-Identifier: Apache-2.0 */
/* What a question was answered with. */
#include "answer.h"

#include <stdlib.h>

const char *muster__dns_type_name(muster__dns_type type)
{
    switch (type) {
    case MUSTER__DNS_A:
        return "A";
    case MUSTER__DNS_AAAA:
        return "AAAA";
    case MUSTER__DNS_SRV:
        return "SRV";
    case MUSTER__DNS_TXT:
        break;
    }
    return "TXT";
}

muster__dns_answer *muster__dns_answer_ref(muster__dns_answer *answer)
{
    answer->n_references++;
    return answer;
}

/* Arrays may be missing in an answer that is half built. */
static void destroy(muster__dns_answer *answer)
{
    for (size_t i = 0; i < answer->n && answer->services != NULL; i++) {
        free((char *)answer->services[i].target);
    }
    for (size_t i = 0; i < answer->n && answer->texts != NULL; i++) {
        free(answer->texts[i]);
    }
    for (size_t i = 0; i < answer->n_extras; i++) {
        free((char *)answer->extras[i].owner);
    }
    free(answer->extras);
    free(answer->texts);
    free(answer->services);
    free(answer->addresses);
    free(answer);
}

void muster__dns_answer_unref(muster__dns_answer *answer)
{
    if (answer != NULL && --answer->n_references == 0) {
        destroy(answer);
    }
}
