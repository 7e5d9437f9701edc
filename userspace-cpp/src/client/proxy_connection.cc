// SPDX-License-Identifier: GPL-2.0-or-later
//
// Asio connects, reads and writes; see proxy_connection.h.

#include "client/proxy_connection.h"

#include <asio/error.hpp>
#include <asio/write.hpp>

#include <utility>

namespace nfovpn::client {

using asio::ip::tcp;

std::shared_ptr<ProxyConnection> ProxyConnection::create(tcp::socket socket,
                                                         std::shared_ptr<const wire::Proxy> proxy,
                                                         const std::string& host,
                                                         std::uint16_t port, bool datagrams,
                                                         bool again, Events events) {
    return std::shared_ptr<ProxyConnection>(new ProxyConnection(
        std::move(socket), std::move(proxy), host, port, datagrams, again, std::move(events)));
}

ProxyConnection::ProxyConnection(tcp::socket socket, std::shared_ptr<const wire::Proxy> proxy,
                                 const std::string& host, std::uint16_t port, bool datagrams,
                                 bool again, Events events)
    : socket_(std::move(socket)), proxy_(std::move(proxy)),
      dialogue_(*proxy_, host, port, datagrams, again), datagrams_(datagrams),
      events_(std::move(events)) {}

void ProxyConnection::start(const tcp::endpoint& proxy) {
    socket_.async_connect(proxy, [self = shared_from_this()](const asio::error_code& error) {
        if (!self->open_)
            return;
        asio::error_code failed = error;
        if (!failed)
            self->local_ = self->socket_.local_endpoint(failed);
        if (failed) {
            self->end(failed.message());
            return;
        }
        self->say(self->dialogue_.begin());
        self->hear();
    });
}

void ProxyConnection::close() {
    open_ = false;
    events_ = {};
    asio::error_code ignored;
    socket_.close(ignored);
}

// There is never more than one message on its way: each answers another one.
void ProxyConnection::say(SecretBytes what) {
    if (what.empty())
        return;
    auto owned = std::make_shared<SecretBytes>(std::move(what));
    const auto view = owned->view();
    asio::async_write(socket_, asio::buffer(view.data(), view.size()),
                      [self = shared_from_this(), owned](const asio::error_code&, std::size_t) {
                          // The read says what has gone wrong.
                      });
}

void ProxyConnection::hear() {
    socket_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](const asio::error_code& error, std::size_t length) {
            if (!self->open_)
                return;
            if (error)
                self->end(error == asio::error::eof ? "the proxy has ended the connection"
                                                    : error.message());
            else
                self->heard(length);
        });
}

void ProxyConnection::heard(std::size_t length) {
    using State = wire::ProxyDialogue::State;
    // What is said about datagrams later has no meaning.
    if (dialogue_.state() == State::Done) {
        hear();
        return;
    }
    auto answer = dialogue_.take({buffer_.data(), length});
    switch (dialogue_.state()) {
    case State::Talking:
        say(std::move(answer));
        hear();
        break;
    case State::Done:
        if (datagrams_) {
            hear();
            // It may close this.
            const auto associated = events_.associated;
            associated(dialogue_.relay());
        } else {
            const auto events = std::exchange(events_, {});
            open_ = false;
            events.connected(std::move(socket_), dialogue_.rest());
        }
        break;
    case State::Again: {
        const auto events = std::exchange(events_, {});
        close();
        events.again();
        break;
    }
    case State::Failed:
        end("the proxy: " + dialogue_.failure());
        break;
    }
}

void ProxyConnection::end(const std::string& why) {
    const auto events = std::exchange(events_, {});
    close();
    events.ended(why);
}

} // namespace nfovpn::client
