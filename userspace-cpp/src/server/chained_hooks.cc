// SPDX-License-Identifier: GPL-2.0-or-later
//
// One more who verifies users; see chained_hooks.h.

#include "server/chained_hooks.h"

#include <memory>
#include <utility>

namespace nfovpn::server {

void ChainedHooks::verify_user(ClientId client, const Environment& environment,
                               const std::string& username, ByteView password, Verified done) {
    clients_.insert(client);
    auto user = std::make_shared<User>();
    *user = {client, username, SecretBytes(password), environment};
    if (!before_verifies_) {
        ask(std::move(*user), std::move(done));
        return;
    }
    before_.verify_user(client, environment, username, password,
                        [this, user, done = std::move(done)](
                            Result<ClientSettings, session::Refusal> answer, TimePoint when) {
                            if (!clients_.contains(user->client))
                                return;
                            if (answer)
                                ask(std::move(*user), done);
                            else
                                done(std::move(answer), when);
                        });
}

void ChainedHooks::forget(ClientId client) {
    if (clients_.erase(client) > 0)
        forgotten(client);
    before_.forget(client);
}

} // namespace nfovpn::server
