// SPDX-License-Identifier: GPL-2.0-or-later
//
// The unix socket of nf-ovpnctl; see control_socket.h. A connection owns itself: it lives as long
// as something is pending for it.

#include "server/control_socket.h"

#include "util/log.h"

#include <asio/buffer.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include <unistd.h>

#include <sstream>

namespace nfovpn::server {

namespace {

using Protocol = asio::local::stream_protocol;

constexpr std::size_t kMaxLine = 256;
constexpr auto kPause = std::chrono::milliseconds(200);
constexpr auto kPatience = std::chrono::seconds(5);

} // namespace

class ControlSocket::Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(ControlSocket& owner, Protocol::socket socket)
        : owner_(owner), count_(owner.connections_), socket_(std::move(socket)),
          timer_(owner.context_) {
        (*count_)++;
    }
    ~Connection() { (*count_)--; }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void start() {
        auto self = shared_from_this();
        timer_.expires_after(kPatience);
        timer_.async_wait([self](const asio::error_code& error) {
            asio::error_code ignored;
            if (!error)
                self->socket_.close(ignored);
        });
        asio::async_read_until(socket_, asio::dynamic_buffer(text_, kMaxLine), '\n',
                               [self](const asio::error_code& error, std::size_t length) {
                                   if (error)
                                       self->timer_.cancel();
                                   else
                                       self->answer(length);
                               });
    }

private:
    void answer(std::size_t length) {
        std::istringstream line(text_.substr(0, length));
        std::vector<std::string> words;
        for (std::string word; line >> word;)
            words.push_back(word);
        text_ = owner_.handler_(words);
        asio::async_write(socket_, asio::buffer(text_),
                          [self = shared_from_this()](const asio::error_code&, std::size_t) {
                              self->timer_.cancel();
                          });
    }

    ControlSocket& owner_;
    std::shared_ptr<std::size_t> count_;
    Protocol::socket socket_;
    asio::steady_timer timer_;
    std::string text_;
};

ControlSocket::ControlSocket(asio::io_context& context, const io::UnixListener& listener,
                             Handler handler)
    : context_(context), handler_(std::move(handler)),
      acceptor_(context, Protocol(), dup(listener.fd())), pause_(context) {
    accept();
}

void ControlSocket::accept() {
    acceptor_.async_accept([this](const asio::error_code& error, Protocol::socket socket) {
        if (error == asio::error::operation_aborted)
            return;
        // Without descriptors or memory it would fail again at once.
        if (error && error != asio::error::connection_aborted) {
            log::warning("nf-control: {}", error.message());
            pause_.expires_after(kPause);
            pause_.async_wait([this](const asio::error_code& cancelled) {
                if (!cancelled)
                    accept();
            });
            return;
        }
        if (!error && *connections_ < std::size_t{kMaxConnections})
            std::make_shared<Connection>(*this, std::move(socket))->start();
        accept();
    });
}

} // namespace nfovpn::server
