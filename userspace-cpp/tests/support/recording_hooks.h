// SPDX-License-Identifier: GPL-2.0-or-later
//
// Hooks that write down what they are asked and answer when the test says so.
#pragma once

#include "server/hooks.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nfovpn::test {

class RecordingHooks final : public server::ClientHooks {
public:
    struct UserQuestion {
        server::ClientId client = 0;
        std::string username;
        std::string password;
        std::map<std::string, std::string> environment;
        Verified done;
    };
    struct ConnectQuestion {
        server::ClientId client = 0;
        std::map<std::string, std::string> environment;
        Connected done;
    };

    struct LearnQuestion {
        std::vector<std::string> addresses;
        AddressesLearned done;
    };

    void verify_user(server::ClientId client, const Environment& environment,
                     const std::string& username, ByteView password, Verified done) override {
        users.push_back({client, username, std::string(as_text(password)), as_map(environment),
                         std::move(done)});
    }
    void verify_certificates(server::ClientId client, const Environment& environment,
                             Verified done) override {
        certificates.push_back({client, "", "", as_map(environment), std::move(done)});
    }
    void connect(server::ClientId client, const Environment& environment, Connected done) override {
        connects.push_back({client, as_map(environment), std::move(done)});
    }
    void disconnect(server::ClientId, const Environment& environment) override {
        disconnects.push_back(as_map(environment));
    }
    void learn_addresses(server::ClientId, const std::vector<std::string>& addresses,
                         const Environment& environment, AddressesLearned done) override {
        for (const auto& address : addresses)
            learned.push_back("add " + address + " " + as_map(environment)["common_name"]);
        learns.push_back({addresses, std::move(done)});
    }
    void forget_address(const std::string& address, const Environment& environment) override {
        learned.push_back("delete " + address + " " + as_map(environment)["common_name"]);
    }
    [[nodiscard]] bool busy() const override { return is_busy; }
    void forget(server::ClientId client) override { forgotten.push_back(client); }

    /// Takes the oldest question away; the test has waited for it.
    UserQuestion next_user() { return take(users); }
    UserQuestion next_certificate() { return take(certificates); }
    ConnectQuestion next_connect() { return take(connects); }
    LearnQuestion next_learn() { return take(learns); }

    std::vector<UserQuestion> users;
    std::vector<UserQuestion> certificates;
    std::vector<ConnectQuestion> connects;
    std::vector<LearnQuestion> learns;
    bool is_busy = false;
    std::vector<std::map<std::string, std::string>> disconnects;
    std::vector<std::string> learned;
    std::vector<server::ClientId> forgotten;

private:
    static std::map<std::string, std::string> as_map(const Environment& environment) {
        std::map<std::string, std::string> out;
        for (const auto& [name, value] : environment)
            out[name] = value;
        return out;
    }
    template <typename T>
    static T take(std::vector<T>& from) {
        auto out = std::move(from.at(0));
        from.erase(from.begin());
        return out;
    }
};

} // namespace nfovpn::test
