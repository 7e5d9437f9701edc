// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a management client sends, in pieces and with things happening in between, to a server or to
// a client. Whatever it is, each line that goes out has its end, and what waits is bounded.

#include "check.h"
#include "management/client_protocol.h"
#include "management/server_protocol.h"

#include <algorithm>

using namespace nfovpn;

namespace {

// A server with one client, which says what it is asked for.
class ServerActions final : public management::ServerActions {
public:
    std::string status(int version) override {
        fuzz::check(version >= 0 && version <= 3);
        return "CLIENT_LIST,a\nEND\n";
    }
    management::Load load() override { return {1, 2, 3}; }
    std::vector<management::Traffic> traffic() override { return {{0, 1, 2}}; }
    std::size_t kill_by_name(const std::string& common_name) override {
        return common_name == "a" ? 1 : 0;
    }
    std::size_t kill_by_remote(const Endpoint& remote, bool) override {
        fuzz::check(remote.port != 0);
        return 1;
    }
    bool kill_by_id(std::uint64_t client_id, const std::string& message) override {
        fuzz::check(message.find('\n') == std::string::npos);
        return client_id == 0;
    }
};

// A client that asks again for whatever it was told.
class ClientActions final : public management::ClientActions {
public:
    explicit ClientActions(management::ClientProtocol& protocol) : protocol_(protocol) {
        remote_.host = "vpn.example.net";
    }
    void ask() {
        protocol_.ask_remote(remote_);
        protocol_.ask_user(nullptr);
    }
    std::string status(int version) override {
        fuzz::check(version >= 0 && version <= 3);
        return "OpenVPN STATISTICS\nEND\n";
    }
    management::Load load() override { return {0, 2, 3}; }
    management::SessionBytes bytes() override { return {1, 2}; }
    std::vector<config::Remote> remotes() override { return {remote_, remote_}; }
    config::AuthRetry auth_retry() override { return retry_; }
    void set_auth_retry(config::AuthRetry retry) override { retry_ = retry; }
    void forget_passwords() override {}
    bool send_message(const std::string& text) override {
        fuzz::check(text.starts_with("CR_RESPONSE,") && text.find('\n') == std::string::npos);
        return true;
    }
    void hold_released() override { ask(); }
    void remote_accepted(const std::string& host, std::uint16_t port) override {
        fuzz::check(host.empty() == (port == 0) && host.size() <= 255);
        protocol_.ask_remote(remote_);
    }
    void remote_skipped(std::uint32_t count) override {
        fuzz::check(count > 0);
        protocol_.ask_remote(remote_);
    }
    void told_user(std::string username, SecretBytes password) override {
        fuzz::check(!username.empty() && username.size() <= config::kMaxUsername);
        fuzz::check(password.view().size() <= config::kMaxPassword);
        protocol_.ask_user(nullptr);
    }

private:
    management::ClientProtocol& protocol_;
    config::Remote remote_;
    config::AuthRetry retry_ = config::AuthRetry::None;
};

// All lines are whole, but for the prompt, and hold no control characters.
void check_lines(std::string_view text) {
    while (!text.empty()) {
        if (text == "ENTER PASSWORD:")
            return;
        const auto end = text.find("\r\n");
        fuzz::check(end != std::string_view::npos);
        auto line = text.substr(0, end);
        fuzz::check(std::none_of(line.begin(), line.end(), [](char c) {
            return c != '\t' && (static_cast<unsigned char>(c) < ' ' || c == 0x7f);
        }));
        text.remove_prefix(end + 2);
    }
}

management::Settings settings_of(std::uint8_t flags) {
    management::Settings settings;
    settings.version = "fuzz";
    settings.log_cache = 5;
    settings.hold = (flags & 1) != 0;
    if ((flags & 2) != 0)
        settings.password = SecretBytes(as_bytes("x"));
    settings.unix_time = [] { return std::int64_t{1}; };
    settings.raise = [](int signal) { fuzz::check(signal > 0); };
    return settings;
}

// Hands the input over in pieces; @p happens is called with each.
template <typename Happens>
void talk(management::Protocol& protocol, std::size_t piece, ByteView rest, Happens happens) {
    TimePoint now{};
    while (!rest.empty()) {
        const auto part = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(part.size());
        now += std::chrono::seconds(1);
        protocol.receive(as_text(part), now);
        protocol.log_line(log::Level::Info, as_text(part));
        protocol.state(management::State::Connected);
        happens(as_text(part));
        if (protocol.deadline() <= now)
            protocol.tick(now);
        const std::string out(protocol.output());
        check_lines(out);
        fuzz::check(out.size() < std::size_t{4} << 20);
        protocol.sent(out.size(), now);
        if (!protocol.end().empty()) {
            protocol.disconnected();
            protocol.connected();
        }
    }
}

void talk_to_server(std::uint8_t flags, std::size_t piece, ByteView rest) {
    management::ServerProtocol protocol(settings_of(flags));
    ServerActions actions;
    protocol.serve((flags & 4) != 0 ? &actions : nullptr);
    protocol.begin_hold();
    protocol.connected();
    management::PendingAuth pending;
    pending.username = "user";
    protocol.authenticate(pending, [](const management::AuthOutcome& outcome) {
        if (const auto* allowed = std::get_if<management::Allowed>(&outcome))
            for (const auto& line : allowed->directives)
                fuzz::check(line.find('\n') == std::string::npos && line != "END");
        return true;
    });
    talk(protocol, piece, rest,
         [&](std::string_view part) { protocol.gone(0, {"common_name=" + std::string(part)}); });
}

void talk_to_client(std::uint8_t flags, std::size_t piece, ByteView rest) {
    auto settings = settings_of(flags);
    settings.forget_on_disconnect = true;
    management::ClientProtocol protocol(std::move(settings));
    ClientActions actions(protocol);
    protocol.serve((flags & 4) != 0 ? &actions : nullptr);
    protocol.begin_hold();
    protocol.connected();
    if ((flags & 4) != 0)
        actions.ask();
    talk(protocol, piece, rest, [&](std::string_view part) {
        protocol.refused(part);
        protocol.information(part);
        protocol.echo(part);
        protocol.up_down(true, {"dev=" + std::string(part)});
    });
    protocol.serve(nullptr);
}

} // namespace

// The first byte: hold, password, whether there is a daemon, its role, and the length of a piece.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::size_t piece = 1 + (data[0] >> 4);
    const auto rest = ByteView(data, size).subspan(1);
    if ((data[0] & 8) != 0)
        talk_to_client(data[0], piece, rest);
    else
        talk_to_server(data[0], piece, rest);
    return 0;
}
