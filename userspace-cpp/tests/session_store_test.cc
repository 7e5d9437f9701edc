// SPDX-License-Identifier: GPL-2.0-or-later
//
// Sessions in the hands of a service manager, for which a thread stands here: what the next process
// gets, and that the manager has nothing of what does not check out.

#include "io/udp_socket.h"
#include "server/session_store.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

using namespace nfovpn;
using namespace nfovpn::server;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

constexpr SessionStore::Digest kConfiguration = {1, 2, 3};

/// It keeps descriptors, and closes what stands for a barrier.
class Manager {
public:
    Manager() {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const auto name = "nf-ovpnd-store-" + std::to_string(getpid());
        name.copy(static_cast<char*>(address.sun_path) + 1, sizeof(address.sun_path) - 2);
        const auto length = offsetof(sockaddr_un, sun_path) + 1 + name.size();
        EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address),
                       static_cast<socklen_t>(length)),
                  0);
        setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
        setenv("FDSTORE", "16", 1);
        thread_ = std::thread([this] { listen(); });
    }
    ~Manager() {
        ends_ = true;
        thread_.join();
    }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    /// What the next process is given.
    std::vector<NamedDescriptor> given() {
        const std::lock_guard lock(mutex_);
        std::vector<NamedDescriptor> out;
        for (const auto& one : kept_)
            out.push_back({one.name, one.descriptor.duplicate()});
        return out;
    }
    std::vector<std::string> names() {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> out;
        for (const auto& one : kept_)
            out.push_back(one.name);
        std::sort(out.begin(), out.end());
        return out;
    }

private:
    void listen() {
        while (!ends_) {
            pollfd wait{socket_.get(), POLLIN, 0};
            if (poll(&wait, 1, 10) == 1)
                hear();
        }
    }
    void hear() {
        std::array<char, 1024> text{};
        alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(int))> control{};
        iovec part{text.data(), text.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const auto n = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
        if (n <= 0)
            return;
        const std::string said(text.data(), static_cast<std::size_t>(n));
        Descriptor with;
        if (const auto* header = CMSG_FIRSTHDR(&message)) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
            with.reset(fd);
        }
        const auto at = said.find("FDNAME=");
        const auto name =
            at == std::string::npos ? "" : said.substr(at + 7, said.find('\n', at) - at - 7);
        const std::lock_guard lock(mutex_);
        if (said.starts_with("FDSTORE=1"))
            kept_.push_back({name, std::move(with)});
        else if (said.starts_with("FDSTOREREMOVE=1"))
            std::erase_if(kept_, [&](const auto& one) { return one.name == name; });
    }

    Descriptor socket_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    std::mutex mutex_;
    std::vector<NamedDescriptor> kept_;
    std::atomic<bool> ends_ = false;
    std::thread thread_;
};

/// One process after the other.
class SessionStoreTest : public testing::Test {
protected:
    void SetUp() override { log::set_level(log::Level::Off); }

    SavedServer saved_server() {
        SavedServer out;
        out.configuration = kConfiguration;
        out.device = device ? device->name() : "tun0";
        out.ifindex = device ? device->ifindex() : 7;
        return out;
    }
    static SavedClient client(ClientId id) {
        SavedClient out;
        out.id = id;
        out.peer_id = static_cast<std::uint32_t>(id);
        out.session.common_name = "client " + std::to_string(id);
        return out;
    }
    bool hold(SessionStore& store) {
        return store.hold(device ? device->fd() : no_device.get(), udp.get(), saved_server(),
                          [](std::uint32_t peer) { return peer != 13; });
    }
    // Where it may be made.
    void make_device() {
        try {
            device.emplace("tun");
        } catch (const std::system_error&) {
            device.reset();
        }
    }
    static std::vector<ClientId> ids(const SessionStore::Left& left) {
        std::vector<ClientId> out;
        for (const auto& c : left.clients)
            out.push_back(c.id);
        return out;
    }
    std::uint16_t port() {
        sockaddr_in name{};
        socklen_t size = sizeof(name);
        getsockname(udp.get(), reinterpret_cast<sockaddr*>(&name), &size);
        return ntohs(name.sin_port);
    }
    std::vector<NamedDescriptor> only(const std::vector<const char*>& names) {
        auto out = manager.given();
        std::erase_if(out, [&](const auto& one) {
            return std::none_of(names.begin(), names.end(),
                                [&](const char* name) { return one.name == name; });
        });
        return out;
    }

    Manager manager;
    ServiceNotify service = ServiceNotify::from_environment();
    std::optional<io::TunDevice> device;
    Descriptor no_device{open("/dev/null", O_RDWR | O_CLOEXEC)};
    Descriptor udp = io::UdpSocket::bind(io::Family::Ipv4, Address(Ipv4{0x7f000001}), 0);
};

} // namespace

TEST_F(SessionStoreTest, TheNextProcessGoesOn) {
    make_device();
    if (!device)
        GTEST_SKIP() << "no tun device can be made here";
    {
        SessionStore store(service, {});
        EXPECT_FALSE(store.take_over(kConfiguration, port()));
        ASSERT_TRUE(hold(store));
        EXPECT_TRUE(store.can_keep(1));
        EXPECT_FALSE(store.can_keep(13));
        EXPECT_TRUE(store.note(client(1)));
        EXPECT_TRUE(store.note(client(2)));
        EXPECT_TRUE(store.note(client(3)));
        EXPECT_TRUE(store.note(client(2)));
        store.forget(1);
        store.forget(99);
        auto long_one = client(4);
        long_one.peer_info.emplace_back("X", std::string(9000, 'x'));
        EXPECT_FALSE(store.note(long_one));
    }
    // Which then ends, in whatever way.
    ASSERT_TRUE(service.wait_until_done(std::chrono::seconds(5)));
    EXPECT_THAT(manager.names(),
                ElementsAre("nf-ovpnd-device", "nf-ovpnd-socket", "nf-ovpnd-state"));
    SessionStore next(service, manager.given());
    auto left = next.take_over(kConfiguration, port());
    ASSERT_TRUE(left);
    EXPECT_THAT(ids(*left), testing::UnorderedElementsAre(2, 3));
    EXPECT_EQ(left->device->name(), device->name());
    EXPECT_TRUE(is_udp_socket(left->socket.get(), port()));
    // The manager is not told again what it has.
    ASSERT_TRUE(hold(next));
    next.drop(client(3));
    EXPECT_TRUE(next.note(client(5)));
    ASSERT_TRUE(service.wait_until_done(std::chrono::seconds(5)));
    EXPECT_EQ(manager.names().size(), 3U);
    SessionStore third(service, manager.given());
    left = third.take_over(kConfiguration, port());
    ASSERT_TRUE(left);
    EXPECT_THAT(ids(*left), testing::UnorderedElementsAre(2, 5));
    // A daemon that ends in this process leaves nothing to the next.
    ASSERT_TRUE(hold(third));
    third.let_go();
    EXPECT_FALSE(third.note(client(6)));
    SessionStore fourth(service, manager.given());
    EXPECT_FALSE(fourth.take_over(kConfiguration, port()));
    EXPECT_THAT(manager.names(), IsEmpty());
}

TEST_F(SessionStoreTest, WhatDoesNotCheckOutIsDropped) {
    make_device();
    if (!device)
        GTEST_SKIP() << "no tun device can be made here";
    const auto prepare = [&](SessionStore& store) {
        ASSERT_TRUE(hold(store));
        ASSERT_TRUE(store.note(client(1)));
        ASSERT_TRUE(service.wait_until_done(std::chrono::seconds(5)));
        ASSERT_EQ(manager.names().size(), 3U);
    };
    auto other_configuration = kConfiguration;
    other_configuration[31] = 1;
    for (int what = 0; what < 8; what++) {
        std::optional<SessionStore> store(std::in_place, service, std::vector<NamedDescriptor>{});
        prepare(*store);
        auto given = manager.given();
        auto digest = kConfiguration;
        auto at = port();
        const auto replace = [&](const char* name, int fd) {
            for (auto& one : given) {
                if (one.name == name)
                    one.descriptor.reset(fd);
            }
        };
        switch (what) {
        case 0:
            digest = other_configuration;
            break;
        case 1:
            at++;
            break;
        case 2:
            given = only({SessionStore::kState, SessionStore::kSocket});
            break;
        case 3:
            given = only({SessionStore::kSocket, SessionStore::kDevice});
            break;
        case 4:
            given.push_back({SessionStore::kSocket, udp.duplicate()});
            break;
        case 5:
            replace(SessionStore::kDevice, open("/dev/null", O_RDWR | O_CLOEXEC));
            break;
        case 6:
            replace(SessionStore::kState, memfd_create("x", MFD_CLOEXEC));
            break;
        case 7:
            replace(SessionStore::kSocket, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            break;
        default:
            break;
        }
        SessionStore next(service, std::move(given));
        EXPECT_FALSE(next.take_over(digest, at)) << what;
        EXPECT_THAT(manager.names(), IsEmpty()) << what;
    }
}

TEST_F(SessionStoreTest, SecretsAreWipedWhenItIsEmptied) {
    SessionStore store(service, {});
    ASSERT_TRUE(hold(store));
    auto one = client(1);
    one.own_key.emplace();
    std::fill(one.own_key->writable().begin(), one.own_key->writable().end(), std::uint8_t{0xa5});
    ASSERT_TRUE(store.note(one));
    ASSERT_TRUE(service.wait_until_done(std::chrono::seconds(5)));
    auto state = only({SessionStore::kState});
    ASSERT_EQ(state.size(), 1U);
    const auto count = [&] {
        Bytes all(1 << 20);
        const auto n = pread(state[0].descriptor.get(), all.data(), all.size(), 0);
        EXPECT_GT(n, 0);
        return std::count(all.begin(), all.end(), std::uint8_t{0xa5});
    };
    EXPECT_GE(count(), 256);
    store.empty();
    EXPECT_LT(count(), 16);
    EXPECT_THAT(manager.names(), IsEmpty());
    EXPECT_FALSE(store.note(one));
}

TEST_F(SessionStoreTest, WithoutAStore) {
    ServiceNotify none;
    SessionStore store(none, {});
    EXPECT_FALSE(store.available());
    EXPECT_FALSE(hold(store));
    EXPECT_FALSE(store.can_keep(1));
    EXPECT_FALSE(store.note(client(1)));
    store.forget(1);
    store.let_go();
    store.empty();
    // A manager that has none any more, but gives what it had.
    std::vector<NamedDescriptor> given;
    given.push_back({SessionStore::kSocket, udp.duplicate()});
    SessionStore other(none, std::move(given));
    EXPECT_FALSE(other.take_over(kConfiguration, port()));
}
