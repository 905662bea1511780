/* SPDX-License-Identifier: Apache-2.0 */
/* How an agent is spoken to: sets its requests up. */
#include "agent.h"

#include <sys/stat.h>

#include <text.h>

/* ---- files ---- */

/* libcurl opens them on the control thread, which would wait at a FIFO, and
 * read a device for ever. What is not there is for libcurl to say, and what is
 * no path, but the name of a key in a token, for it to know. */
static muster_status check_file(const muster__consul_agent *agent,
                                muster__consul_variable variable,
                                muster_error *err)
{
    const char *path = agent->environment.values[variable];
    bool is_folder = variable == MUSTER__CONSUL_CAPATH;
    struct stat info;

    if (path == NULL || stat(path, &info) != 0 ||
        (is_folder ? S_ISDIR(info.st_mode) : S_ISREG(info.st_mode))) {
        return MUSTER_OK;
    }
    return muster_error_set(err, MUSTER_INVAL, "environment %s: %s is not %s",
                            muster__consul_variable_name(variable),
                            muster__quote(path).text,
                            is_folder ? "a folder" : "a regular file");
}

static muster_status check_files(const muster__consul_agent *agent,
                                 muster_error *err)
{
    static const muster__consul_variable variables[] = {
        MUSTER__CONSUL_CACERT, MUSTER__CONSUL_CAPATH,
        MUSTER__CONSUL_CLIENT_CERT, MUSTER__CONSUL_CLIENT_KEY};
    muster_status status = MUSTER_OK;

    for (size_t i = 0;
         status == MUSTER_OK && i < sizeof variables / sizeof *variables; i++) {
        status = check_file(agent, variables[i], err);
    }
    return status;
}

/* ---- TLS ---- */

static bool set_text(CURL *easy, CURLoption option, const char *value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool set_up_tls(const muster__consul_agent *agent, CURL *easy)
{
    char *const *values = agent->environment.values;
    const char *ca_file = values[MUSTER__CONSUL_CACERT];
    const char *ca_path = values[MUSTER__CONSUL_CAPATH];
    const char *cert = values[MUSTER__CONSUL_CLIENT_CERT];
    const char *key = values[MUSTER__CONSUL_CLIENT_KEY];
    bool is_verified = agent->environment.is_verified;
    bool is_done = true;

    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    (void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, is_verified ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, is_verified ? 2L : 0L);
    /* A new connection reads the files anew, and looks at certificates. */
    (void)curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    /* For an encrypted key OpenSSL would ask the terminal, and wait. */
    if (!set_text(easy, CURLOPT_KEYPASSWD, "")) {
        return false;
    }
    if (ca_file != NULL || ca_path != NULL) { /* and no others */
        is_done = set_text(easy, CURLOPT_CAINFO, ca_file) &&
                  set_text(easy, CURLOPT_CAPATH, ca_path);
    }
    return is_done && (cert == NULL || set_text(easy, CURLOPT_SSLCERT, cert)) &&
           (key == NULL || set_text(easy, CURLOPT_SSLKEY, key));
}

static bool set_up_plain(const muster__consul_agent *agent, CURL *easy)
{
    const char *socket = agent->place.socket;

    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    return *socket == '\0' || set_text(easy, CURLOPT_UNIX_SOCKET_PATH, socket);
}

muster_status muster__consul_agent_set_up(const muster__consul_agent *agent,
                                          CURL *easy, muster_error *err)
{
    bool is_tls = agent->place.is_tls;

    if (is_tls && check_files(agent, err) != MUSTER_OK) {
        return MUSTER_INVAL;
    }
    if (!(is_tls ? set_up_tls : set_up_plain)(agent, easy)) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return MUSTER_OK;
}
