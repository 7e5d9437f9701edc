// SPDX-License-Identifier: GPL-2.0-or-later
//
// A connection to a proxy, from the first byte until it leads to the server, or, for datagrams,
// for as long as the proxy is to pass them on:
//
//     connect ─▶ talk (wire::ProxyDialogue) ─▶ granted: the socket goes to whoever asked
//                                           └▶ granted for datagrams: the socket stays, and its
//                                              end is the end of that
//
// Nothing here waits: whoever has begun it says when it takes too long, by close().
#pragma once

#include "wire/proxy.h"

#include <asio/ip/tcp.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>

namespace nfovpn::client {

class ProxyConnection : public std::enable_shared_from_this<ProxyConnection> {
public:
    /// What is called, once: the first three exclude each other; later only ended.
    struct Events {
        /// It leads to the server, which has said so much already.
        std::function<void(asio::ip::tcp::socket, Bytes)> connected;
        /// Datagrams may be sent there; zeros as an address: where the proxy is.
        std::function<void(Endpoint)> associated;
        /// Another connection is needed, on which name and password are given.
        std::function<void()> again;
        /// There is none, or not any more, for that reason.
        std::function<void(const std::string&)> ended;
    };

    /// @p socket is open, and bound where it is to be. For @p proxy see wire::ProxyDialogue.
    static std::shared_ptr<ProxyConnection> create(asio::ip::tcp::socket socket,
                                                   std::shared_ptr<const wire::Proxy> proxy,
                                                   const std::string& host, std::uint16_t port,
                                                   bool datagrams, bool again, Events events);

    void start(const asio::ip::tcp::endpoint& proxy);

    /// The address of this end, once it is connected.
    [[nodiscard]] asio::ip::tcp::endpoint local() const { return local_; }

    /// Nothing is called back any more.
    void close();

private:
    ProxyConnection(asio::ip::tcp::socket socket, std::shared_ptr<const wire::Proxy> proxy,
                    const std::string& host, std::uint16_t port, bool datagrams, bool again,
                    Events events);
    void say(SecretBytes what);
    void hear();
    void heard(std::size_t length);
    void end(const std::string& why);

    asio::ip::tcp::socket socket_;
    std::shared_ptr<const wire::Proxy> proxy_;
    wire::ProxyDialogue dialogue_;
    bool datagrams_;
    Events events_;
    bool open_ = true;
    asio::ip::tcp::endpoint local_;
    std::array<std::uint8_t, 2048> buffer_{};
};

} // namespace nfovpn::client
