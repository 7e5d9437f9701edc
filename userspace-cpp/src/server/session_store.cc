// SPDX-License-Identifier: GPL-2.0-or-later
//
// Descriptors to and from the service manager; see session_store.h.

#include "server/session_store.h"

#include "util/log.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

namespace nfovpn::server {

namespace {

// A manager that takes longer to drop something does not do it.
constexpr auto kDropWithin = std::chrono::milliseconds(5000);

// Sockets have a number each.
std::uint64_t number_of(int socket) {
    struct stat status {};
    return fstat(socket, &status) == 0 ? status.st_ino : 0;
}

// Of the device behind a descriptor; TunDevice has asked the same.
std::uint64_t device_of(int device) {
    const auto found = io::TunDevice::behind(device);
    return found ? found->ifindex : 0;
}

} // namespace

bool is_udp_socket(int socket, std::uint16_t port) {
    int type = 0;
    int protocol = 0;
    socklen_t size = sizeof(type);
    if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_DGRAM)
        return false;
    size = sizeof(protocol);
    if (getsockopt(socket, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 ||
        protocol != IPPROTO_UDP)
        return false;
    sockaddr_storage name{};
    size = sizeof(name);
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0)
        return false;
    std::uint16_t bound = 0;
    if (name.ss_family == AF_INET)
        bound = ntohs(reinterpret_cast<const sockaddr_in&>(name).sin_port);
    else if (name.ss_family == AF_INET6)
        bound = ntohs(reinterpret_cast<const sockaddr_in6&>(name).sin6_port);
    return bound != 0 && bound == port;
}

SessionStore::SessionStore(const ServiceNotify& service, std::vector<NamedDescriptor> given)
    : service_(service), given_(std::move(given)) {}

// The only one of that name; of more than one nobody knows which counts.
Descriptor SessionStore::given(const char* name) {
    Descriptor out;
    std::size_t count = 0;
    for (auto& one : given_) {
        if (one.name == name && count++ == 0)
            out = std::move(one.descriptor);
    }
    return count == 1 ? std::move(out) : Descriptor();
}

std::optional<SessionStore::Left> SessionStore::take_over(const Digest& configuration,
                                                          std::uint16_t port) {
    const bool any = std::any_of(given_.begin(), given_.end(), [](const auto& one) {
        return one.name == kState || one.name == kSocket || one.name == kDevice;
    });
    std::string why = "the service manager has no store any more";
    auto out = any && available() ? read_left(configuration, port, why) : std::nullopt;
    given_.clear();
    if (any && !out) {
        log::warning("sessions of the process before are given up: {}", why);
        drop_all();
    }
    return out;
}

std::optional<SessionStore::Left> SessionStore::read_left(const Digest& configuration,
                                                          std::uint16_t port, std::string& why) {
    Left out;
    auto state = given(kState);
    out.socket = given(kSocket);
    auto device = given(kDevice);
    if (!state || !out.socket || !device) {
        why = "the store lacks one of the descriptors, or has one twice";
        return std::nullopt;
    }
    file_ = StateFile::open(std::move(state));
    if (!file_) {
        why = "what it has as state is none";
        return std::nullopt;
    }
    auto contents = file_->read();
    std::optional<SavedServer> server;
    std::vector<std::size_t> unknown;
    for (const auto& record : contents.records) {
        if (record.slot == kServerSlot) {
            server = read_saved_server(record.content.view());
            continue;
        }
        auto client = read_saved_client(record.content.view());
        if (client && slots_.emplace(client->id, record.slot).second)
            out.clients.push_back(std::move(*client));
        else
            unknown.push_back(record.slot);
    }
    for (const auto slot : unknown)
        file_->erase(slot);
    if (contents.damaged + unknown.size() > 0)
        log::warning("store: {} records are damaged; their sessions are dropped",
                     contents.damaged + unknown.size());
    if (!server) {
        why = "there is no record of the server";
        return std::nullopt;
    }
    if (server->configuration != configuration) {
        why = "they are by another configuration";
        return std::nullopt;
    }
    if (!is_udp_socket(out.socket.get(), port)) {
        why = "the socket is another one";
        return std::nullopt;
    }
    try {
        out.device = std::make_unique<io::TunDevice>(std::move(device));
    } catch (const std::system_error& error) {
        why = error.what();
        return std::nullopt;
    }
    if (out.device->name() != server->device || out.device->ifindex() != server->ifindex) {
        why = "the device is another one";
        return std::nullopt;
    }
    held_state_ = true;
    held_device_ = out.device->ifindex();
    held_socket_ = number_of(out.socket.get());
    out.server = std::move(*server);
    return out;
}

bool SessionStore::hold(int device, int socket, const SavedServer& server,
                        std::function<bool(std::uint32_t)> in_kernel) {
    if (!available())
        return false;
    const auto same_device = held_device_ != 0 && held_device_ == device_of(device);
    const auto same_socket = held_socket_ != 0 && held_socket_ == number_of(socket);
    if (!file_) {
        file_ = StateFile::create();
        const auto first = file_ ? file_->take_slot() : std::nullopt;
        if (!first || *first != kServerSlot) {
            log::warning("sessions do not outlive the process: memory file: {}",
                         std::strerror(errno));
            file_.reset();
            return false;
        }
    }
    // Until all is there, there is no server.
    if (!same_device || !same_socket)
        file_->erase(kServerSlot);
    const auto replace = [&](const char* name, int descriptor) {
        service_.unstore(name);
        return service_.store(name, descriptor);
    };
    bool told = true;
    if (!held_state_)
        told = replace(kState, file_->fd());
    if (told && !same_device)
        told = replace(kDevice, device);
    if (told && !same_socket)
        told = replace(kSocket, socket);
    if (!told) {
        log::warning("sessions do not outlive the process: the service manager cannot be told: {}",
                     std::strerror(errno));
        drop_all();
        return false;
    }
    held_state_ = true;
    held_device_ = device_of(device);
    held_socket_ = number_of(socket);
    file_->reserve(kServerSlot);
    if (!file_->write(kServerSlot, write_saved(server).view())) {
        drop_all();
        return false;
    }
    in_kernel_ = std::move(in_kernel);
    return true;
}

void SessionStore::drop(const SavedClient& client) {
    forget(client.id);
}

void SessionStore::let_go() {
    in_kernel_ = nullptr;
    slots_.clear();
    if (file_)
        file_->clear();
}

void SessionStore::empty() {
    if (held_state_)
        drop_all();
}

void SessionStore::drop_all() {
    in_kernel_ = nullptr;
    slots_.clear();
    given_.clear();
    if (file_)
        file_->clear();
    file_.reset();
    held_state_ = false;
    held_device_ = 0;
    held_socket_ = 0;
    if (service_.store_size() == 0)
        return;
    for (const auto* name : {kState, kSocket, kDevice})
        service_.unstore(name);
    // Device and port are free only then.
    if (!service_.wait_until_done(kDropWithin))
        log::warning("store: the service manager does not say that it has dropped what it had");
}

bool SessionStore::can_keep(std::uint32_t peer_id) const {
    return in_kernel_ && file_ && in_kernel_(peer_id);
}

bool SessionStore::note(const SavedClient& client) {
    if (!in_kernel_ || !file_)
        return false;
    auto found = slots_.find(client.id);
    if (found == slots_.end()) {
        const auto slot = file_->take_slot();
        if (!slot) {
            if (!std::exchange(warned_, true))
                log::warning("store: there is no room for more sessions: {}", std::strerror(errno));
            return false;
        }
        found = slots_.emplace(client.id, *slot).first;
    }
    if (file_->write(found->second, write_saved(client).view()))
        return true;
    log::warning("store: what is to be noted of {} is too long; it does not outlive this process",
                 client.session.common_name);
    forget(client.id);
    return false;
}

void SessionStore::forget(ClientId client) {
    const auto found = slots_.find(client);
    if (found == slots_.end())
        return;
    if (file_)
        file_->erase(found->second);
    slots_.erase(found);
}

} // namespace nfovpn::server
