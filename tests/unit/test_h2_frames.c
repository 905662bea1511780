/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests' relay counts. */
#include "h2_frames.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* SETTINGS without an entry, PING, its answer, DATA of 5 bytes that look like a
 * frame, GOAWAY with code 11 and 3 bytes more, PING. */
static const uint8_t frames[] = {
    0, 0, 0,  4, 0, 0, 0, 0, 0,                                         /**/
    0, 0, 8,  6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,                 /**/
    0, 0, 8,  6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,                 /**/
    0, 0, 5,  0, 1, 0, 0, 0, 1, 0, 0, 8, 6, 0,                          /**/
    0, 0, 11, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11, 'b', 'y', 'e', /**/
    0, 0, 8,  6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};

static void expect_all(const h2_frames *read)
{
    cr_expect_eq(read->n_frames[H2_SETTINGS], 1);
    cr_expect_eq(read->n_frames[H2_PING], 3);
    cr_expect_eq(read->n_pings, 2);
    cr_expect_eq(read->n_frames[H2_DATA], 1);
    cr_expect_eq(read->n_frames[H2_GOAWAY], 1);
    cr_expect_eq(read->goaway_code, 11);
}

Test(h2_frames, are_counted_by_type)
{
    h2_frames read;

    h2_frames_init(&read, false);
    h2_frames_read(&read, frames, sizeof frames, 1);
    expect_all(&read);
}

Test(h2_frames, may_come_byte_by_byte)
{
    h2_frames read;

    h2_frames_init(&read, false);
    for (size_t i = 0; i < sizeof frames; i++) {
        h2_frames_read(&read, &frames[i], 1, i);
    }
    expect_all(&read);
}

Test(h2_frames, follow_the_preface_of_a_client)
{
    h2_frames read;

    h2_frames_init(&read, true);
    h2_frames_read(&read, preface, sizeof preface - 1, 1);
    h2_frames_read(&read, frames, sizeof frames, 2);
    expect_all(&read);
}

Test(h2_frames, know_when_pings_came)
{
    h2_frames read;

    h2_frames_init(&read, false);
    h2_frames_read(&read, frames, 20, 7);
    h2_frames_read(&read, frames + 20, sizeof frames - 20, 9);
    cr_expect_eq(read.ping_ns[0], 7);
    cr_expect_eq(read.ping_ns[1], 9);
}

Test(h2_frames, of_a_short_goaway_are_not_read_over)
{
    static const uint8_t broken[] = {0, 0, 2, 7, 0, 0, 0, 0, 0, 1,
                                     2, 0, 0, 0, 4, 0, 0, 0, 0, 0};
    h2_frames read;

    h2_frames_init(&read, false);
    h2_frames_read(&read, broken, sizeof broken, 1);
    cr_expect_eq(read.n_frames[H2_GOAWAY], 1);
    cr_expect_eq(read.goaway_code, 0);
    cr_expect_eq(read.n_frames[H2_SETTINGS], 1);
}
