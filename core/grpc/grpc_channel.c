/* SPDX-License-Identifier: Apache-2.0 */
/* Channels over gRPC C core. */
#include <muster/grpc.h>

#include "grpc_config.h"
#include "grpc_connection.h"
#include "grpc_settings.h"
#include "poller.h"
#include "runtime.h"
#include "sized.h"
#include "tls_options.h"

static muster_channel_options
read_options(const muster_channel_options *options)
{
    muster_channel_options known;

    muster__sized_read(&known, sizeof known, options);
    known.struct_size = sizeof known;
    return known;
}

/* Without an authority of the options there always is the endpoint's address.
 */
static muster_status check_name(const char *target,
                                const muster_channel_options *options,
                                const muster_grpc_options *grpc_options,
                                muster_error *err)
{
    muster_grpc_options known;

    muster__sized_read(&known, sizeof known, grpc_options);
    if (known.tls == NULL || options->authority == NULL ||
        muster__tls_is_name(options->authority)) {
        return MUSTER_OK;
    }
    return muster_error_set(err, MUSTER_INVAL,
                            "%s: TLS has no name to check: the authority is "
                            "\"%s\"",
                            target, options->authority);
}

muster_status
muster_grpc_channel_create(const char *target,
                           const muster_channel_options *options,
                           const muster_grpc_options *grpc_options,
                           muster_channel **ret_channel, muster_error *err)
{
    muster_channel_options with_transport = read_options(options);
    muster_grpc_options merged;
    muster_settings settings;
    muster__grpc_config *config;
    muster_status status;

    if (target == NULL) {
        return muster_error_set(err, MUSTER_INVAL, "no target");
    }
    status = check_name(target, &with_transport, grpc_options, err);
    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__grpc_settings_merge(
        grpc_options, with_transport.service_config, &merged, &settings, err);
    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__grpc_config_create(target, &merged, &config, err);
    muster__grpc_settings_fini(&settings);
    if (status != MUSTER_OK) {
        return status;
    }
    with_transport.transport = &muster__grpc_transport;
    with_transport.transport_arg = config;
    status = muster_channel_create(target, &with_transport, ret_channel, err);
    muster__grpc_config_unref(config);
    return status;
}

grpc_channel *muster_lease_grpc_channel(const muster_lease *lease)
{
    void *connection;

    if (lease->slot_ == NULL || muster__grpc_is_forked()) {
        return NULL;
    }
    connection = muster_lease_connection(lease);
    if (connection == NULL) {
        return NULL;
    }
    muster__grpc_poller_came();
    return muster__grpc_connection_channel(connection);
}
