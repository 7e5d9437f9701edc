// SPDX-License-Identifier: GPL-2.0-or-later
//
// The process for plug-ins; see helper.h.

#include "plugin/helper.h"

#include "plugin/loader.h"
#include "util/descriptor.h"
#include "util/syscall_filter.h"

#include <openssl/crypto.h>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace nfovpn::plugin {

namespace {

// Not the standard input any more: what plug-ins start would keep that.
Descriptor take_socket() {
    Descriptor out(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    const Descriptor null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!out || !null || dup2(null.get(), STDIN_FILENO) < 0)
        return Descriptor();
    return out;
}

bool send_bytes(int socket, const Bytes& message) {
    ssize_t sent = -1;
    do {
        sent = send(socket, message.data(), message.size(), MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

bool send_answer(int socket, const Answer& answer) {
    auto message = encode(answer);
    if (!message) {
        // Nobody would know what it was to say.
        const LogLine line{LogLine::Level::Error, "what plug-ins return is too long"};
        send_bytes(socket, encode(line));
        Answer shorter;
        shorter.id = answer.id;
        message = encode(shorter);
    }
    return send_bytes(socket, *message);
}

Answer done(std::uint32_t id) {
    Answer out;
    out.id = id;
    out.status = Status::Success;
    return out;
}

Answer opened(std::uint32_t id, const Loader& loader,
              const std::optional<Loader::Failure>& failed) {
    Answer out;
    out.id = id;
    if (failed) {
        out.plugin = failed->plugin;
        out.why = failed->why;
        return out;
    }
    out.status = Status::Success;
    out.hooks = loader.hooks();
    return out;
}

Answer confine(const Request& request, Loader& loader) {
    Answer out;
    out.id = request.id;
    const bool stays_root = (request.run_as ? request.run_as->user : getuid()) == 0;
    if (auto failed = drop_privileges(request.run_as, stays_root)) {
        out.why = "privileges cannot be dropped: " + *failed;
        return out;
    }
    const auto filtered =
        request.filter ? install_syscall_filter(FilterFor::DaemonWithScripts) : std::nullopt;
    if (filtered && !filtered->no_support) {
        out.why = "seccomp: " + filtered->what;
        return out;
    }
    return opened(request.id, loader, loader.open_later());
}

Answer open_all(const Request& request, Loader& loader) {
    return opened(request.id, loader, loader.open(request.plugins, request.environment));
}

} // namespace

int serve() {
    // Passwords pass here.
    prctl(PR_SET_DUMPABLE, 0);
    // As in OpenVPN's process: a plug-in's own other process may be gone.
    std::signal(SIGPIPE, SIG_IGN);
    const auto socket = take_socket();
    if (!socket)
        return EXIT_FAILURE;
    Loader loader([fd = socket.get()](const LogLine& line) { send_bytes(fd, encode(line)); });
    Bytes buffer(kMaxMessage);
    while (true) {
        const auto got = recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        const auto request = decode_request(std::span(buffer).first(static_cast<std::size_t>(got)));
        OPENSSL_cleanse(buffer.data(), buffer.size());
        if (!request)
            return EXIT_FAILURE;
        bool sent = true;
        switch (request->kind) {
        case Request::Kind::Open:
            sent = send_answer(socket.get(), open_all(*request, loader));
            break;
        case Request::Kind::Call:
            sent = send_answer(socket.get(), loader.call(*request));
            break;
        case Request::Kind::Forget:
            loader.forget(request->client);
            sent = send_answer(socket.get(), done(request->id));
            break;
        case Request::Kind::Confine:
            sent = send_answer(socket.get(), confine(*request, loader));
            break;
        }
        if (!sent)
            return EXIT_FAILURE;
    }
}

} // namespace nfovpn::plugin
