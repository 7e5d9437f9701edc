// SPDX-License-Identifier: GPL-2.0-or-later
//
// What outlives a daemon. SIGHUP and SIGUSR1 make one daemon after another in the same process,
// which has given up by then what it would need to open these things once more: ports below 1024,
// and names in directories that are root's.
//
//     process ─▶ Keeper ─┬─ "device"    the tun device
//                        ├─ "clients"   the UDP socket, or the one that listens for TCP
//                        ├─ "status", "pool", "pid"   files that are written
//                        ├─ "control"   nf-ovpnctl's socket
//                        ├─ "management" the management interface, with its client
//                        └─ "token key" of auth-gen-token, if it is a random one
//                              ▲ borrow
//     Daemon ── Daemon ── …    one at a time; each has an event loop, TLS, sessions and the
//     instance
//                              of nf_ovpn of its own
//
// Each of these is kept as something, under a name that says all that it was made by. A daemon asks
// for it; it gets the one that is there if that has the same name, else a new one in its place.
// What no daemon has asked for since begin() goes with drop_unwanted(). All of it goes with the
// process.
//
// A daemon that cannot have what it asks for leaves what was there for one by the configuration
// before. Only where both cannot be at once, as with sockets of one port, the old one goes first.
//
// The log's file is the log's own, see log::open().
#pragma once

#include <map>
#include <memory>
#include <string>
#include <system_error>

namespace nfovpn::host {

class Keeper {
public:
    Keeper() = default;
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

    /// A daemon begins to ask.
    void begin() {
        for (auto& [what, place] : places_)
            place.wanted = false;
    }

    /// What is kept as @p what under that name. Else @p make returns it, by a std::unique_ptr, and
    /// what was kept as that before goes; first, if make() throws that an address is in use.
    /// Whatever else it throws.
    template <typename T, typename Make>
    T& keep(const std::string& what, const std::string& name, Make&& make) {
        auto& place = places_[what];
        if (!place.object || place.name != name) {
            place.object = made<T>(place, make);
            place.name = name;
        }
        place.wanted = true;
        return *static_cast<T*>(place.object.get());
    }

    /// Whether that is kept, under that name.
    [[nodiscard]] bool has(const std::string& what, const std::string& name) const {
        const auto found = places_.find(what);
        return found != places_.end() && found->second.object && found->second.name == name;
    }

    /// It is of no use any more.
    void drop(const std::string& what) { places_.erase(what); }

    void drop_unwanted() {
        std::erase_if(places_, [](const auto& place) { return !place.second.wanted; });
    }

private:
    struct Place {
        std::string name;
        std::shared_ptr<void> object;
        bool wanted = false;
    };

    template <typename T, typename Make>
    static std::shared_ptr<T> made(Place& place, Make& make) {
        try {
            return make();
        } catch (const std::system_error& error) {
            if (!place.object || error.code() != std::errc::address_in_use)
                throw;
        }
        place.object.reset();
        return make();
    }

    std::map<std::string, Place> places_;
};

} // namespace nfovpn::host
