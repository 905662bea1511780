// SPDX-License-Identifier: Apache-2.0
// A C++ program outside the tree: picks an endpoint.
#include <cstdio>
#include <string>

#include <muster/muster.h>

int main()
{
    muster_channel *channel = nullptr;
    muster_lease lease = {};
    muster_error err = {};

    if (muster_channel_create("static:///10.0.0.1:1", nullptr, &channel,
                              &err) != MUSTER_OK ||
        muster_channel_pick_wait(channel, nullptr, &lease, &err) != MUSTER_OK) {
        std::fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const std::string address = muster_lease_endpoint(&lease)->address;

    muster_lease_finish(&lease, nullptr);
    muster_channel_destroy(channel);
    std::printf("muster %s: %s\n", muster_version(), address.c_str());
    return address == "10.0.0.1:1" ? 0 : 1;
}
