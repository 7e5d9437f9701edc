// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a management client sends, in pieces and with things happening in between. Whatever it is,
// each line that goes out has its end, and what waits is bounded.

#include "check.h"
#include "management/protocol.h"

#include <algorithm>

using namespace nfovpn;

namespace {

// A server with one client, which says what it is asked for.
class Actions final : public management::Actions {
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
    std::size_t kill_by_remote(const Endpoint& remote) override {
        fuzz::check(remote.port != 0);
        return 1;
    }
    bool kill_by_id(std::uint64_t client_id, const std::string& message) override {
        fuzz::check(message.find('\n') == std::string::npos);
        return client_id == 0;
    }
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

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    management::Settings settings;
    settings.version = "fuzz";
    settings.log_cache = 5;
    settings.hold = (data[0] & 1) != 0;
    if ((data[0] & 2) != 0)
        settings.password = SecretBytes(as_bytes("x"));
    settings.unix_time = [] { return std::int64_t{1}; };
    settings.raise = [](int signal) { fuzz::check(signal > 0); };
    management::Protocol protocol(std::move(settings));
    Actions actions;
    protocol.serve((data[0] & 4) != 0 ? &actions : nullptr);
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

    const std::size_t piece = 1 + (data[0] >> 3);
    auto rest = ByteView(data, size).subspan(1);
    TimePoint now{};
    while (!rest.empty()) {
        const auto part = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(part.size());
        now += std::chrono::seconds(1);
        protocol.receive(as_text(part), now);
        protocol.log_line(log::Level::Info, as_text(part));
        protocol.state(management::State::Connected);
        protocol.gone(0, {"common_name=" + std::string(as_text(part))});
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
    return 0;
}
