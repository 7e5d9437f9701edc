// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the next process needs to go on with the sessions of this one, in the hands of the service
// manager, who keeps file descriptors for a service over its restart (see util/service_notify.h):
//
//     "nf-ovpnd-state"    a memory file, see util/state_file.h: in slot 0 what all clients have in
//                         common, in each of the others one session, see saved_client.h
//     "nf-ovpnd-socket"   the UDP socket
//     "nf-ovpnd-device"   the tun device, on which the kernel's instance hangs with peers and keys
//
// Its owner is the process; one daemon after the other uses it:
//
//     process begins ──▶ take_over()  descriptors go to the Keeper, records to the daemon
//                           │  or, with another configuration or anything that does not check out:
//                           │  the manager drops them, and with them device, peers and keys
//     daemon ──────────▶ hold()       the manager has its device, its socket and the file
//                           │
//                        note(), forget()   by the core: a session has changed, or has ended
//                           │
//     daemon ends ─────▶ let_go()     in this process nobody goes on with its sessions
//     process ends ────▶ empty()      for good: the manager drops everything
//                        or not, when sessions are left to the next process; kill -9 is the same
//
// At any moment the file is complete for whoever comes next: slot 0 is written last and wiped
// first. Without a store (no FDSTORE in the environment) nothing of this happens.
#pragma once

#include "config/server_config.h"
#include "host/keeper.h"
#include "io/tun_device.h"
#include "server/core.h"
#include "server/saved_client.h"
#include "util/service_notify.h"
#include "util/state_file.h"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace nfovpn::server {

/// See the head of this file.
class SessionStore final : public SessionNotes {
public:
    using Digest = std::array<std::uint8_t, 32>;

    static constexpr const char* kState = "nf-ovpnd-state";
    static constexpr const char* kSocket = "nf-ovpnd-socket";
    static constexpr const char* kDevice = "nf-ovpnd-device";

    /// Of a process that was given these; those of other names are closed. @p service must outlive
    /// the object.
    SessionStore(const ServiceNotify& service, std::vector<NamedDescriptor> given);

    /// Whether the manager keeps anything.
    [[nodiscard]] bool available() const { return service_.store_size() >= kDescriptors; }

    /// What another process has left.
    struct Left {
        std::unique_ptr<io::TunDevice> device;
        Descriptor socket;
        SavedServer server;
        std::vector<SavedClient> clients;
    };
    /// The first time: what was left, if it was by a configuration of the same digest, and is
    /// whole. Else the manager drops it, with the reason in the log.
    std::optional<Left> take_over(const Digest& configuration, std::uint16_t port);

    /// From now on the manager has these; both must live until let_go(). @p in_kernel says which
    /// peers can be kept. False if it cannot be told.
    bool hold(int device, int socket, const SavedServer& server,
              std::function<bool(std::uint32_t)> in_kernel);
    /// Records of sessions that nobody has gone on with.
    void drop(const SavedClient& client);
    /// No session is noted any more.
    void let_go();
    /// The manager drops everything, and has done so when this returns.
    void empty();

    [[nodiscard]] bool can_keep(std::uint32_t peer_id) const override;
    bool note(const SavedClient& client) override;
    void forget(ClientId client) override;

private:
    static constexpr std::size_t kDescriptors = 3;
    static constexpr std::size_t kServerSlot = 0;

    std::optional<Left> read_left(const Digest& configuration, std::uint16_t port,
                                  std::string& why);
    Descriptor given(const char* name);
    void drop_all();

    const ServiceNotify& service_;
    std::vector<NamedDescriptor> given_;
    std::optional<StateFile> file_;
    std::unordered_map<ClientId, std::size_t> slots_;
    std::function<bool(std::uint32_t)> in_kernel_;
    /// By what the manager's descriptors are known again; 0: it has none.
    std::uint64_t held_device_ = 0;
    std::uint64_t held_socket_ = 0;
    bool held_state_ = false;
    bool warned_ = false;
};

/// The socket is one of UDP that is bound to that port.
bool is_udp_socket(int socket, std::uint16_t port);

} // namespace nfovpn::server
