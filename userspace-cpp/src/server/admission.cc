// SPDX-License-Identifier: GPL-2.0-or-later
//
// The steps of an admission, in their order; see admission.h.

#include "server/admission.h"

#include "util/log.h"

#include <utility>

namespace nfovpn::server {

namespace {

// Of common names, as in certificates (RFC 5280).
constexpr std::size_t kLongestName = 64;

// Of one client, from all that have something to say about it.
constexpr std::size_t kMaxNetworks = 1000;

} // namespace

void ClientSettings::merge(const ClientSettings& more) {
    if (more.address) {
        address = more.address;
        netmask = more.netmask;
    }
    if (more.address6)
        address6 = more.address6;
    networks.insert(networks.end(), more.networks.begin(), more.networks.end());
    if (more.push_reset) {
        push_reset = true;
        push.clear();
    }
    for (const auto& beginning : more.push_remove)
        std::erase_if(push, [&](const auto& option) { return option.starts_with(beginning); });
    push_remove.insert(push_remove.end(), more.push_remove.begin(), more.push_remove.end());
    push.insert(push.end(), more.push.begin(), more.push.end());
    disabled = disabled || more.disabled;
}

void Admission::ask(Applicant& client, const wire::KeyMethod2& theirs, TimePoint now) {
    verify_user(client, theirs, now,
                [this](Applicant& who, const Refused& refusal, TimePoint then) {
                    verified(who, refusal, then);
                });
}

void Admission::confirm(Applicant& client, std::uint8_t key_id, const wire::KeyMethod2& theirs,
                        TimePoint now) {
    verify_user(client, theirs, now, [key_id](Applicant& who, Refused refusal, TimePoint) {
        who.its_session().confirm(key_id, std::move(refusal));
    });
}

// ---- User

// Calls back at once unless somebody else has to be asked.
void Admission::verify_user(Applicant& client, const wire::KeyMethod2& theirs, TimePoint now,
                            Then then) {
    const auto password = theirs.password.view();
    const auto username = wire::clean_name(theirs.username);
    if (!settings_.users) {
        then(client, std::nullopt, now);
    } else if (settings_.users->required && !theirs.has_credentials) {
        then(client, session::Refusal{"this server asks for user name and password"}, now);
    } else if (client.user && username != *client.user) {
        then(client, session::Refusal{"another user name at renegotiation"}, now);
    } else if (settings_.users->as_common_name && username.size() > kLongestName) {
        then(client, session::Refusal{"the user name is too long for a common name"}, now);
    } else if (settings_.users->tokens && is_auth_token(password)) {
        verify_token(client, username, password, now, then);
    } else {
        // Who verifies decides about empty ones too.
        auto answered = [this, id = client.id, username, then = std::move(then)](
                            Result<ClientSettings, session::Refusal> answer, TimePoint when) {
            auto* found = host_.applicant(id);
            if (!found)
                return;
            Refused refusal;
            if (answer) {
                found->user = username;
                found->of_user = std::move(*answer);
                if (settings_.users && settings_.users->tokens && !username.empty())
                    found->token = new_auth_token(host_.unix_time(when));
            } else {
                refusal = answer.error();
            }
            then(*found, std::move(refusal), when);
            host_.decided(*found, when);
        };
        if (settings_.hooks_certificates)
            hooks_->present(client.id, client.its_session().peer_certificates());
        hooks_->verify_user(client.id, client.environment(), username, password,
                            std::move(answered));
    }
}

void Admission::verify_token(Applicant& client, const std::string& username, ByteView password,
                             TimePoint now, const Then& then) {
    const auto unix_time = host_.unix_time(now);
    auto token = read_auth_token(*settings_.users->tokens, password, username, unix_time);
    if (!token) {
        const bool expired = token.error() == AuthTokenFault::Expired;
        log::peer_warning("{}: token of user {}: {}", client.label(), username,
                          expired ? "expired" : "not authentic");
        // By that word a client forgets its token, and asks for a password.
        then(client,
             session::Refusal{expired ? "SESSION:token expired" : "SESSION:token unknown", false,
                              true},
             now);
        return;
    }
    client.user = username;
    client.token = *token;
    client.token->renewed = unix_time;
    if (!settings_.users->certificates) {
        then(client, std::nullopt, now);
        return;
    }
    // It stands for a password, not for a certificate.
    if (settings_.hooks_certificates)
        hooks_->present(client.id, client.its_session().peer_certificates());
    hooks_->verify_certificates(
        client.id, client.environment(),
        [this, id = client.id, then](const Result<ClientSettings, session::Refusal>& answer,
                                     TimePoint when) {
            auto* found = host_.applicant(id);
            if (!found)
                return;
            then(*found, answer ? std::nullopt : Refused(answer.error()), when);
            host_.decided(*found, when);
        });
}

// ---- Settings, Place

void Admission::verified(Applicant& client, const Refused& refusal, TimePoint now) {
    auto& session = client.its_session();
    if (refusal) {
        session.admit(*refusal);
        return;
    }
    if (settings_.users && settings_.users->as_common_name)
        session.rename(client.user.value_or(""));
    if (session.common_name().empty())
        session.rename("UNDEF"); // OpenVPN's word for clients without a name
    auto refused = look_up(client);
    if (!refused && hooks_ && hooks_->busy())
        refused = session::Refusal{"the server is busy", true};
    if (!refused)
        refused = host_.give_place(client, now);
    if (refused) {
        session.admit(*refused);
        return;
    }
    if (!settings_.hooks_connect) {
        connected(client);
        return;
    }
    hooks_->connect(client.id, client.environment(),
                    [this, id = client.id](std::optional<ClientSettings> more, TimePoint when) {
                        auto* found = host_.applicant(id);
                        if (!found)
                            return;
                        found->connected = more.has_value();
                        if (more)
                            found->special.merge(*more);
                        if (!more || found->special.disabled)
                            found->its_session().admit(
                                session::Refusal{"the server's administrator does not let it in"});
                        else
                            connected(*found);
                        host_.decided(*found, when);
                    });
}

Admission::Refused Admission::look_up(Applicant& client) const {
    if (settings_.client_lookup) {
        auto found = settings_.client_lookup(client.its_session().common_name());
        if (!found)
            return session::Refusal{"the server cannot read its settings for this client", true};
        client.special = std::move(*found);
    }
    client.special.merge(client.of_user);
    if (client.special.disabled)
        return session::Refusal{"this client is disabled"};
    return std::nullopt;
}

// ---- Program

void Admission::connected(Applicant& client) {
    if (auto refusal = use_special(client)) {
        client.its_session().admit(*refusal);
        return;
    }
    const auto& special = client.special;
    auto& granted = *client.granted;
    granted.second = special.netmask.value_or(addresses_.second_of(granted.address));
    client.address6 = special.address6 ? special.address6 : addresses_.ipv6_of(granted.address);
    networks_.want(client.id, special.networks);
    if (settings_.hooks_addresses)
        learn(client);
    else
        host_.let_in(client);
}

Admission::Refused Admission::use_special(Applicant& client) {
    const auto& special = client.special;
    auto& own = client.granted->address;
    if (special.address && *special.address != own) {
        if (!addresses_.reserve(*special.address))
            return session::Refusal{"the client's own address is in use", true};
        addresses_.release(own);
        own = *special.address;
    }
    if (special.netmask) {
        if (const auto why = addresses_.why_not_second(*special.netmask); !why.empty()) {
            log::peer_error("{}: ifconfig-push: {}", client.label(), why);
            return session::Refusal{"the server has no fitting address for this client"};
        }
    }
    if (special.networks.size() > kMaxNetworks) {
        log::peer_error("{}: more than {} networks", client.label(), kMaxNetworks);
        return session::Refusal{"the server has too many networks for this client"};
    }
    return std::nullopt;
}

// ---- Addresses

// One that is refused stays the client's own, but no packet has it: as with OpenVPN the client is
// in and cannot use it.
void Admission::learn(Applicant& client) {
    auto& addresses = client.learned;
    addresses = {to_string(client.granted->address)};
    if (client.address6)
        addresses.push_back(to_string(*client.address6));
    for (const auto& network : networks_.wanted(client.id))
        addresses.push_back(to_string(network));
    hooks_->learn_addresses(client.id, addresses, client.environment(),
                            [this, id = client.id](const auto& accepted, TimePoint when) {
                                auto* found = host_.applicant(id);
                                if (!found)
                                    return;
                                addresses_learned(*found, accepted);
                                host_.let_in(*found);
                                host_.decided(*found, when);
                            });
}

void Admission::addresses_learned(Applicant& client, const std::vector<bool>& accepted) {
    const auto networks = networks_.wanted(client.id);
    const std::size_t own = client.address6 ? 2 : 1;
    std::vector<std::string> left;
    std::vector<Prefix> networks_left;
    for (std::size_t i = 0; i < client.learned.size(); i++) {
        const bool good = i < accepted.size() && accepted[i];
        if (good)
            left.push_back(client.learned[i]);
        else
            log::peer_warning("{}: learn-address refuses {}", client.label(), client.learned[i]);
        if (i == 0)
            client.may_have_address = good;
        else if (i < own)
            client.may_have_address6 = good;
        else if (good)
            networks_left.push_back(networks[i - own]);
    }
    client.learned = std::move(left);
    networks_.want(client.id, networks_left);
}

std::string Admission::token_option(const Applicant& client) const {
    const auto text =
        write_auth_token(*settings_.users->tokens, *client.token, client.user.value_or(""));
    return "auth-token " + std::string(as_text(text.view()));
}

} // namespace nfovpn::server
