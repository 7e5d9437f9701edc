// SPDX-License-Identifier: GPL-2.0-or-later
//
// One more who verifies users, after those who do so already: everybody must agree. All other
// questions pass through.
#pragma once

#include "server/hooks.h"
#include "util/secret.h"

#include <unordered_set>

namespace nfovpn::server {

/// See the head of this file.
class ChainedHooks : public ClientHooks {
public:
    /// @p before is asked first, about users only if @p before_verifies; it must outlive the
    /// object.
    ChainedHooks(ClientHooks& before, bool before_verifies)
        : before_(before), before_verifies_(before_verifies) {}

    void present(ClientId client, const std::vector<Bytes>& certificates) final {
        before_.present(client, certificates);
    }
    void verify_user(ClientId client, const Environment& environment, const std::string& username,
                     ByteView password, Verified done) final;
    void verify_certificates(ClientId client, const Environment& environment, Verified done) final {
        before_.verify_certificates(client, environment, std::move(done));
    }
    void connect(ClientId client, const Environment& environment, Connected done) final {
        before_.connect(client, environment, std::move(done));
    }
    void disconnect(ClientId client, const Environment& environment) final {
        before_.disconnect(client, environment);
    }
    void learn_addresses(ClientId client, const std::vector<std::string>& addresses,
                         const Environment& environment, AddressesLearned done) final {
        before_.learn_addresses(client, addresses, environment, std::move(done));
    }
    void forget_address(const std::string& address, const Environment& environment) final {
        before_.forget_address(address, environment);
    }
    [[nodiscard]] bool busy() const final { return before_.busy(); }
    void forget(ClientId client) final;

protected:
    /// A user who is to be verified.
    struct User {
        ClientId client = 0;
        std::string name;
        SecretBytes password;
        Environment environment;
    };

    /// Asks; @p done is called once or never, not before this has returned.
    virtual void ask(User user, Verified done) = 0;
    /// The client, which was asked about, is gone.
    virtual void forgotten(ClientId client) = 0;

private:
    ClientHooks& before_;
    bool before_verifies_;
    std::unordered_set<ClientId> clients_;
};

} // namespace nfovpn::server
