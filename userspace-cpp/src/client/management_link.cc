// SPDX-License-Identifier: GPL-2.0-or-later
//
// Between the management interface and a client's core; see management_link.h.

#include "client/management_link.h"

#include "util/local_time.h"

#include <fmt/format.h>

#include <ctime>
#include <utility>

namespace nfovpn::client {

namespace {

TimePoint now() {
    return std::chrono::steady_clock::now();
}

} // namespace

std::string format_client_status(const ClientReport& report, std::int64_t unix_time) {
    return fmt::format("OpenVPN STATISTICS\nUpdated,{}\nTUN/TAP read bytes,0\n"
                       "TUN/TAP write bytes,0\nTCP/UDP read bytes,{}\nTCP/UDP write bytes,{}\n"
                       "Auth read bytes,{}\nEND\n",
                       local_time(unix_time), report.rx_bytes, report.tx_bytes, report.rx_bytes);
}

ManagementLink::ManagementLink(management::ClientProtocol& protocol, ClientCore& core,
                               std::optional<config::StaticChallenge> challenge,
                               std::function<void()> changed, TerminalLink* asker)
    : protocol_(protocol), core_(core), challenge_(std::move(challenge)),
      changed_(std::move(changed)), asker_(asker) {
    core_.observe(this);
    protocol_.serve(this);
}

ManagementLink::~ManagementLink() {
    protocol_.serve(nullptr);
    core_.observe(nullptr);
}

// ---- what the core tells and asks

void ManagementLink::state(management::State state, const management::StateDetails& details) {
    protocol_.state(state, details);
}

void ManagementLink::echo(std::string_view text) {
    protocol_.echo(text);
}

void ManagementLink::information(std::string_view text) {
    protocol_.information(text);
}

void ManagementLink::refused(std::string_view reason) {
    protocol_.refused(reason);
}

bool ManagementLink::hold(std::chrono::seconds pause) {
    protocol_.begin_hold(pause);
    return protocol_.holding();
}

void ManagementLink::ask_remote(const config::Remote& remote) {
    protocol_.ask_remote(remote);
}

void ManagementLink::ask_user() {
    if (asker_) {
        asker_->ask_user();
        return;
    }
    protocol_.ask_user(challenge_ ? &*challenge_ : nullptr);
}

void ManagementLink::withdraw() {
    if (asker_)
        asker_->withdraw();
    protocol_.end_hold();
    protocol_.withdraw_questions();
}

// ---- what the management client wants

std::string ManagementLink::status(int /*version*/) {
    return format_client_status(core_.report(), std::time(nullptr));
}

management::Load ManagementLink::load() {
    const auto report = core_.report();
    return {0, report.all_rx_bytes, report.all_tx_bytes};
}

management::SessionBytes ManagementLink::bytes() {
    const auto report = core_.report();
    return {report.rx_bytes, report.tx_bytes};
}

std::vector<config::Remote> ManagementLink::remotes() {
    return core_.remotes();
}

config::AuthRetry ManagementLink::auth_retry() {
    return core_.auth_retry();
}

void ManagementLink::set_auth_retry(config::AuthRetry retry) {
    core_.set_auth_retry(retry);
}

void ManagementLink::forget_passwords() {
    core_.forget_passwords();
}

bool ManagementLink::send_message(const std::string& text) {
    const bool sent = core_.send_message(text, now());
    changed_();
    return sent;
}

void ManagementLink::hold_released() {
    core_.hold_released(now());
    changed_();
}

void ManagementLink::remote_accepted(const std::string& host, std::uint16_t port) {
    core_.remote_accepted(host, port, now());
    changed_();
}

void ManagementLink::remote_skipped(std::uint32_t count) {
    core_.remote_skipped(count, now());
    changed_();
}

void ManagementLink::told_user(std::string username, SecretBytes password) {
    core_.told_user(std::move(username), std::move(password), now());
    changed_();
}

} // namespace nfovpn::client
