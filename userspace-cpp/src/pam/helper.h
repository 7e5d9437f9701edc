// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users verified by PAM, in a process of its own, as OpenVPN's plug-in for it does that:
//
//     daemon, confined ──Request──▶ process for PAM, still root ──fork──▶ one for each user
//            ▲                                                                  │
//            └────────────────────────────Answer────────────────────────────────┘
//
// PAM's modules need privileges that the daemon gives up, run for as long as they like, and may do
// to their process what they like. The process is this program, started anew, so that it has none
// of the daemon's memory; it sees user names and passwords, and no key.
#pragma once

#include "config/server_config.h"
#include "pam/messages.h"

#include <string_view>
#include <vector>

namespace nfovpn::pam {

/// The answer to what a module asks; nothing if the configuration has none. Without prompts in it a
/// question whose answer is seen (@p echo) is for the user name, any other for the password.
/// Prompts are compared with the beginning of the question, without regard to case and to what is
/// neither letter nor digit before it; in answers USERNAME, PASSWORD and COMMONNAME stand for the
/// user's own.
std::optional<SecretBytes> answer_to(std::string_view question, bool echo,
                                     const std::vector<config::PamPrompt>& prompts,
                                     const Request& request);

/// Asks PAM: authentication, then whether the account may be used. @p directory is where the
/// configuration of services is; null: the system's.
Answer authenticate(const config::PamConfig& config, const Request& request,
                    const char* directory = nullptr);

/// Serves requests from @p socket until its other end is closed. The exit status of the process.
int serve(int socket, const config::PamConfig& config);

/// The word in the command line that makes a process this one. Behind it are the service and, in
/// pairs, prompts and answers.
inline constexpr const char* kHelperOption = "--pam-helper";

/// The command line's words from kHelperOption on, and back.
std::vector<std::string> to_words(const config::PamConfig& config);
std::optional<config::PamConfig> from_words(const std::vector<std::string>& words);

} // namespace nfovpn::pam
