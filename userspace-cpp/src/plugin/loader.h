// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plug-ins in this process: loaded, opened, called one after the other in the order of the
// configuration, and closed.
#pragma once

#include "plugin/messages.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace nfovpn::plugin {

/// See the head of this file. As plug-ins may do what they like this is for the process for them,
/// and for tests.
class Loader {
public:
    /// @p log gets what plug-ins say, and stays the one for all as long as the process lives.
    explicit Loader(std::function<void(const LogLine&)> log);
    /// Closes all of them, the clients' data first.
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    /// Why one of them cannot be used.
    struct Failure {
        std::uint8_t plugin = 0;
        std::string why;
    };

    /// Loads all, and opens those that are not to be opened later.
    std::optional<Failure> open(const std::vector<Plugin>& plugins, const Environment& environment);
    /// Opens the others: privileges are given up.
    std::optional<Failure> open_later();
    /// What any of them wants to be called for.
    [[nodiscard]] HookMask hooks() const;

    /// Calls those that want it. All are called, even if one has refused.
    Answer call(const Request& request);
    void forget(std::uint64_t client);

private:
    struct Loaded;

    std::optional<std::string> load(Loaded& loaded) const;
    std::optional<std::string> open_one(Loaded& loaded) const;
    std::optional<Failure> open_at(bool later);
    Status call_one(Loaded& loaded, const Request& request, void* client, X509* certificate,
                    std::vector<std::string>& config) const;
    /// Each plug-in's own data of a client, made when it is first called for.
    std::vector<void*>& data_of(std::uint64_t client);

    std::vector<std::unique_ptr<Loaded>> plugins_;
    std::unordered_map<std::uint64_t, std::vector<void*>> clients_;
    Environment environment_;
};

} // namespace nfovpn::plugin
