// SPDX-License-Identifier: GPL-2.0-or-later
//
// A client for tests; see test_client.h.

#include "support/test_client.h"

#include "wire/push.h"

#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace nfovpn::test {

using namespace session;

namespace {

void fill(std::span<std::uint8_t> out) {
    if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1)
        throw std::runtime_error("no random bytes");
}

} // namespace

TestClient::TestClient(const TlsContext& tls, std::string peer_info, TimePoint now, Send send,
                       ClientWrap wrap)
    : tls_(tls), peer_info_(std::move(peer_info)), send_(std::move(send)), wrap_(std::move(wrap)),
      channel_(wrap_.keys, 1000,
               !wrap_.wrapped_key.empty() && wrap_.can_resend_key ? wire::kFirstIdThatCanResend
                                                                  : 1) {
    fill(local_);
    NegotiationStart start;
    start.local = local_;
    start.reset = wrap_.wrapped_key.empty() ? wire::Opcode::HardResetClientV2
                                            : wire::Opcode::HardResetClientV3;
    start.wrapped_key = wrap_.wrapped_key.size();
    current_ = std::make_unique<Negotiation>(tls_, start, now);
}

void TestClient::receive(ByteView datagram, TimePoint now) {
    auto opcode = wire::opcode_of(datagram);
    if (opcode == wire::Opcode::DataV2 || opcode == wire::Opcode::DataV1) {
        receive_data(datagram);
        return;
    }
    auto plain = channel_.open(datagram);
    if (!plain) {
        dropped[static_cast<std::size_t>(plain.error())]++;
        return;
    }
    auto packet = wire::parse_control(*plain);
    if (!packet)
        return;
    Negotiation* n = nullptr;
    for (auto* candidate : {current_.get(), next_.get(), previous_.get()}) {
        if (candidate && candidate->key_id() == packet->key_id)
            n = candidate;
    }
    if (!n && packet->opcode == wire::Opcode::SoftResetV1 && connected() && !next_) {
        last_key_id_ = packet->key_id;
        NegotiationStart start;
        start.key_id = packet->key_id;
        start.local = local_;
        start.remote = current_->remote_id();
        start.reset = wire::Opcode::SoftResetV1;
        next_ = std::make_unique<Negotiation>(renegotiation_tls ? *renegotiation_tls : tls_, start,
                                              now);
        n = next_.get();
    }
    if (n && n->receive(*packet, now))
        advance(now);
}

void TestClient::send_control(ByteView plain) {
    auto datagram = channel_.seal(plain);
    if (wire::brings_key(*wire::opcode_of(plain)))
        datagram.insert(datagram.end(), wrap_.wrapped_key.begin(), wrap_.wrapped_key.end());
    send_(datagram);
}

void TestClient::renegotiate(TimePoint now) {
    // Like OpenVPN, never two at a time.
    if (next_)
        return;
    NegotiationStart start;
    start.key_id = static_cast<std::uint8_t>(last_key_id_ % 7 + 1);
    last_key_id_ = start.key_id;
    start.local = local_;
    start.remote = current_->remote_id();
    start.reset = wire::Opcode::SoftResetV1;
    next_ =
        std::make_unique<Negotiation>(renegotiation_tls ? *renegotiation_tls : tls_, start, now);
    advance(now);
}

void TestClient::tick(TimePoint now) {
    advance(now);
}

TimePoint TestClient::deadline() const {
    auto earliest = current_->deadline();
    for (const auto* n : {next_.get(), previous_.get()}) {
        if (n)
            earliest = std::min(earliest, n->deadline());
    }
    return earliest;
}

void TestClient::send_message(std::string_view text, TimePoint now) {
    current_->send_message(text);
    advance(now);
}

void TestClient::advance_one(Negotiation& n, wire::KeySource& source) {
    if (n.failed() || !n.established() || n.key_method_sent())
        return;
    fill(source.pre_master.writable());
    fill(source.random1.writable());
    fill(source.random2.writable());
    wire::KeyMethod2 m;
    m.key_source.pre_master.assign(source.pre_master.view());
    m.key_source.random1.assign(source.random1.view());
    m.key_source.random2.assign(source.random2.view());
    m.options = options;
    m.peer_info = peer_info_;
    m.username = username;
    m.password = SecretBytes(as_bytes(password));
    m.has_credentials = has_credentials;
    n.send_key_method(m);
    if (request_push && &n == current_.get())
        n.send_message("PUSH_REQUEST");
}

void TestClient::advance(TimePoint now) {
    advance_one(*current_, source_);
    if (next_)
        advance_one(*next_, next_source_);
    for (auto& message : current_->take_messages()) {
        for (auto& option : wire::parse_push_reply(message)) {
            if (option.starts_with("peer-id ")) {
                peer_id_ = static_cast<std::uint32_t>(std::stoul(option.substr(8)));
                shape.data_v1 = false;
            }
            for (auto framing : {Framing::Stub, Framing::StubSwap, Framing::StubV2}) {
                if (option == framing_option(framing))
                    shape.framing = framing;
            }
            pushed_.push_back(std::move(option));
        }
        messages.push_back(std::move(message));
    }
    auto active = [](const Negotiation& n) {
        return n.key_method_sent() && n.peer_key_method() && n.all_acknowledged();
    };
    if (keys_.empty() && !pushed_.empty() && active(*current_))
        generate(*current_, source_);
    if (next_ && active(*next_)) {
        generate(*next_, next_source_);
        previous_ = std::move(current_);
        current_ = std::move(next_);
    }
    for (auto* n : {current_.get(), next_.get(), previous_.get()}) {
        if (n)
            n->transmit(now, [this](ByteView plain) { send_control(plain); });
    }
}

void TestClient::generate(Negotiation& n, const wire::KeySource& source) {
    KeyMaterial material;
    auto told = [this](std::string_view flag) {
        return std::any_of(pushed_.begin(), pushed_.end(), [&](const std::string& option) {
            return option.find(flag) != std::string::npos;
        });
    };
    bool derived = told("tls-ekm") ? n.tls().export_keys(material)
                                   : derive_by_prf(source, n.peer_key_method()->key_source, local_,
                                                   n.remote_id(), material);
    auto named = pushed("cipher");
    auto cipher =
        cipher_by_name(named.empty() ? wire::option_value(options, "cipher").value_or("") : named);
    if (!derived || !cipher)
        throw std::runtime_error("the client cannot derive its keys");
    DataFormat format{*cipher, is_aead(*cipher) ? DataAuth::None : auth, told("aead-epoch")};
    keys_.push_back({n.key_id(), slice_keys(material, format, wire::Role::Client)});
    if (keys_.size() > 2)
        keys_.erase(keys_.begin());
    keys_generated++;
    sending_key_id = n.key_id();
}

std::string TestClient::pushed(const std::string& option) const {
    for (const auto& p : pushed_) {
        if (p.starts_with(option + " "))
            return p.substr(option.size() + 1);
    }
    return "";
}

bool TestClient::send_data(ByteView plaintext) {
    if (keys_.empty())
        return false;
    auto& key = keys_.back();
    send_(encrypt_data(key.keys, key.id, peer_id_, key.next_packet_id++, plaintext, shape));
    return true;
}

void TestClient::receive_data(ByteView datagram) {
    for (const auto& key : keys_) {
        if (key.id != (datagram[0] & 7))
            continue;
        if (auto plain = decrypt_data(key.keys, datagram, shape)) {
            received.push_back(std::move(*plain));
            return;
        }
    }
    undecryptable++;
}

} // namespace nfovpn::test
