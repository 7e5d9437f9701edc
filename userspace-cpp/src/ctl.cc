// SPDX-License-Identifier: GPL-2.0-or-later
//
// nf-ovpnctl: asks a running nf-ovpnd, by the socket that its option nf-control names.
//
//     nf-ovpnctl offload PEER on|off    whose data path a client's packets go by
//     nf-ovpnctl status                 who is connected, and counters
//
// Exit status: 0 done · 1 refused, or nobody answers · 2 the command line is wrong.

#include <CLI/CLI.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include <cstdio>
#include <string>

namespace {

constexpr int kRefused = 1;
constexpr int kUsage = 2;

int ask(const std::string& path, const std::string& line) {
    asio::io_context context;
    asio::local::stream_protocol::socket socket(context);
    asio::error_code error;
    std::string answer;
    socket.connect(asio::local::stream_protocol::endpoint(path), error);
    if (!error)
        asio::write(socket, asio::buffer(line), error);
    if (!error) {
        asio::read(socket, asio::dynamic_buffer(answer), error);
        if (error == asio::error::eof)
            error.clear();
    }
    if (error) {
        std::fprintf(stderr, "%s: %s\n", path.c_str(), error.message().c_str());
        return kRefused;
    }
    const bool refused = answer.empty() || answer.starts_with("error: ");
    std::fputs(answer.c_str(), refused ? stderr : stdout);
    return refused ? kRefused : 0;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"nf-ovpnctl: asks a running nf-ovpnd"};
    std::string socket = "/run/nf-ovpnd.sock";
    std::string peer;
    std::string where;
    app.add_option("--socket", socket, "what nf-ovpnd's option nf-control says")
        ->capture_default_str()
        ->check(CLI::ExistingPath);
    auto* offload =
        app.add_subcommand("offload", "move a client's keys to the kernel, or away from it");
    offload->add_option("PEER", peer, "common name or peer ID")->required();
    offload->add_option("STATE", where, "on or off")
        ->required()
        ->check(CLI::IsMember({"on", "off"}));
    app.add_subcommand("status", "who is connected, and counters");
    app.require_subcommand(1);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : kUsage;
    }
    if (peer.find_first_of(" \n") != std::string::npos) {
        std::fprintf(stderr, "a name with a space: use the peer ID\n");
        return kUsage;
    }
    return ask(socket, offload->parsed() ? "offload " + peer + " " + where + "\n" : "status\n");
}
