// SPDX-License-Identifier: GPL-2.0-or-later
//
// A client for tests, as strict as OpenVPN's: a key is in use, for sending and for receiving, only
// when the server's key method 2 has come *and* the server has acknowledged everything that the
// client sent. What it cannot decrypt it counts.
#pragma once

#include "session/negotiate.h"
#include "session/negotiation.h"
#include "session/wrapped_channel.h"
#include "support/recording_data_plane.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nfovpn::test {

inline constexpr auto kModernPeerInfo = "IV_VER=2.7.8\nIV_PLAT=linux\nIV_MTU=1600\n"
                                        "IV_CIPHERS=AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305\n"
                                        "IV_PROTO=990\n";

/// What a client's control channel is wrapped by.
struct ClientWrap {
    std::shared_ptr<const wire::ControlWrap> keys;
    Bytes wrapped_key;          ///< tls-crypt-v2, if not empty
    bool can_resend_key = true; ///< as 2.6 and later
};

class TestClient {
public:
    using Send = std::function<void(ByteView)>;

    TestClient(const session::TlsContext& tls, std::string peer_info, TimePoint now, Send send,
               ClientWrap wrap = {});

    /// Takes in a datagram of either channel.
    void receive(ByteView datagram, TimePoint now);
    void tick(TimePoint now);
    [[nodiscard]] TimePoint deadline() const;

    /// Sends a SOFT_RESET and negotiates new keys.
    void renegotiate(TimePoint now);

    void send_message(std::string_view text, TimePoint now);

    /// Sends a data packet; false if there is no key yet.
    bool send_data(ByteView plaintext);

    [[nodiscard]] bool connected() const { return !keys_.empty(); }
    [[nodiscard]] bool failed() const { return current_->failed(); }
    [[nodiscard]] std::uint32_t peer_id() const { return peer_id_; }
    [[nodiscard]] std::string pushed(const std::string& option) const;
    [[nodiscard]] const session::TlsStream& tls() const { return current_->tls(); }

    std::string options = "V4,dev-type tun,cipher AES-256-GCM";
    DataAuth auth = DataAuth::Sha1;            ///< with ciphers that do not authenticate
    PacketShape shape = {true, Framing::None}; ///< changed by what is pushed
    std::string username;                      ///< of every negotiation; empty: none
    std::string password;                      ///< likewise
    bool has_credentials = false;              ///< even empty ones are sent
    bool request_push = false;                 ///< send PUSH_REQUEST instead of waiting
    const session::TlsContext* renegotiation_tls = nullptr; ///< another certificate, if set
    std::vector<std::string> messages;                      ///< control messages that came
    std::vector<Bytes> received;                            ///< plaintext of data packets
    std::uint64_t undecryptable = 0;
    std::array<std::uint64_t, wire::kWireErrors> dropped{}; ///< control packets, by fault
    unsigned keys_generated = 0;
    std::uint8_t sending_key_id = 0;

private:
    struct Key {
        std::uint8_t id = 0;
        DataKeys keys;
        std::uint32_t next_packet_id = 1;
    };

    void send_control(ByteView plain);
    void advance(TimePoint now);
    void advance_one(session::Negotiation& n, wire::KeySource& source);
    void generate(session::Negotiation& n, const wire::KeySource& source);
    void receive_data(ByteView datagram);

    const session::TlsContext& tls_;
    std::string peer_info_;
    Send send_;
    ClientWrap wrap_;
    session::WrappedChannel channel_;
    wire::SessionId local_{};
    std::unique_ptr<session::Negotiation> current_;
    std::unique_ptr<session::Negotiation> next_;
    std::unique_ptr<session::Negotiation> previous_;
    wire::KeySource source_;
    wire::KeySource next_source_;
    std::vector<Key> keys_; ///< the newest last
    std::vector<std::string> pushed_;
    std::uint32_t peer_id_ = 0;
    std::uint8_t last_key_id_ = 0;
};

} // namespace nfovpn::test
