// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users verified by PAM: the daemon's end of pam/helper.h.
#pragma once

#include "config/server_config.h"
#include "pam/messages.h"
#include "server/chained_hooks.h"
#include "util/fair_queue.h"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <sys/types.h>

#include <functional>
#include <string>
#include <unordered_map>

namespace nfovpn::server {

/// The process for PAM. It is started while there are privileges to give to it, and stays from one
/// daemon to the next.
class PamProcess {
public:
    /// Throws std::system_error. @p program is this one, or in tests another that does the same.
    explicit PamProcess(config::PamConfig config, std::string program = "/proc/self/exe");
    ~PamProcess();
    PamProcess(const PamProcess&) = delete;
    PamProcess& operator=(const PamProcess&) = delete;

    [[nodiscard]] const config::PamConfig& config() const { return config_; }
    /// Where answers come from, a datagram each.
    [[nodiscard]] int fd() const { return socket_; }
    /// A number for a request that none has had before.
    std::uint32_t next_id() { return ++last_id_; }
    /// False if it cannot be sent now; what is asked must have its id from next_id().
    bool send(const pam::Request& request);

private:
    config::PamConfig config_;
    int socket_ = -1;
    pid_t child_ = -1;
    std::uint32_t last_id_ = 0;
};

class PamHooks final : public ChainedHooks {
public:
    /// @p settle is called after every answer. All that is given by reference must outlive the
    /// object.
    PamHooks(PamProcess& process, ClientHooks& before, bool before_verifies,
             asio::io_context& context, std::function<void()> settle);

private:
    struct Asked {
        ClientId client;
        std::string username;
        Verified done;
        bool wanted; ///< the client is still there
        std::uint64_t source;
    };
    /// Who has not had its turn.
    struct Waiting {
        User user;
        Verified done;
    };

    void ask(User user, Verified done) override;
    void forgotten(ClientId client) override;
    void send_next();
    void wait();
    bool receive();
    void answered(const pam::Answer& answer);

    PamProcess& process_;
    asio::io_context& context_;
    std::function<void()> settle_;
    asio::posix::stream_descriptor answers_;
    std::unordered_map<std::uint32_t, Asked> asked_;
    FairQueue<Waiting> users_;
};

} // namespace nfovpn::server
