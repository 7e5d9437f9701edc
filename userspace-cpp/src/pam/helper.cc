// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users verified by PAM; see helper.h.

#include "pam/helper.h"

#include <openssl/crypto.h>

#include <security/pam_appl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace nfovpn::pam {

namespace {

// As with programs: more at once help nobody.
constexpr int kUsersAtOnce = 16;

// No client waits for longer than that.
constexpr unsigned kLongestSeconds = 120;

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool same_letter(char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
}

bool asks_for(std::string_view question, std::string_view prompt) {
    question.remove_prefix(static_cast<std::size_t>(
        std::find_if(question.begin(), question.end(), is_word) - question.begin()));
    return question.size() >= prompt.size() &&
           std::equal(prompt.begin(), prompt.end(), question.begin(), same_letter);
}

SecretBytes filled_in(std::string_view answer, const Request& request) {
    const std::pair<std::string_view, ByteView> words[] = {
        {"USERNAME", as_bytes(request.username)},
        {"PASSWORD", request.password.view()},
        {"COMMONNAME", as_bytes(request.common_name)}};
    SecretBytes out;
    while (!answer.empty()) {
        const auto* word = std::find_if(std::begin(words), std::end(words), [&](const auto& entry) {
            return answer.starts_with(entry.first);
        });
        const bool found = word != std::end(words);
        out.append(found ? word->second : as_bytes(answer.substr(0, 1)));
        answer.remove_prefix(found ? word->first.size() : 1);
    }
    return out;
}

// What the conversation function is told.
struct Conversation {
    const config::PamConfig& config;
    const Request& request;
};

void forget(pam_response* responses, int count) {
    for (int i = 0; i < count; i++) {
        if (auto* text = responses[i].resp) {
            OPENSSL_cleanse(text, std::strlen(text));
            std::free(text);
        }
    }
    std::free(responses);
}

// A response that PAM frees: allocated by malloc(), with a zero behind it.
char* response(const SecretBytes& answer) {
    auto* out = static_cast<char*>(std::malloc(answer.view().size() + 1));
    if (!out)
        return nullptr;
    std::copy(answer.view().begin(), answer.view().end(), out);
    out[answer.view().size()] = '\0';
    return out;
}

int converse(int count, const pam_message** messages, pam_response** out, void* data) {
    const auto& conversation = *static_cast<const Conversation*>(data);
    if (count <= 0 || count > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    auto* responses = static_cast<pam_response*>(
        std::calloc(static_cast<std::size_t>(count), sizeof(pam_response)));
    if (!responses)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++) {
        const auto& message = *messages[i];
        const bool echo = message.msg_style == PAM_PROMPT_ECHO_ON;
        if (!echo && message.msg_style != PAM_PROMPT_ECHO_OFF)
            continue; // said, not asked
        const auto answer = answer_to(message.msg ? message.msg : "", echo,
                                      conversation.config.prompts, conversation.request);
        responses[i].resp = answer ? response(*answer) : nullptr;
        if (!responses[i].resp) {
            forget(responses, count);
            return PAM_CONV_ERR;
        }
    }
    *out = responses;
    return PAM_SUCCESS;
}

// A child of the process, for one user. A module that hangs must not take the place of others for
// ever.
void serve_one(int socket, const config::PamConfig& config, const Request& request) {
    alarm(kLongestSeconds);
    const auto answer = encode(authenticate(config, request));
    if (send(socket, answer.data(), answer.size(), MSG_NOSIGNAL) < 0)
        _exit(EXIT_FAILURE);
    _exit(EXIT_SUCCESS);
}

} // namespace

std::optional<SecretBytes> answer_to(std::string_view question, bool echo,
                                     const std::vector<config::PamPrompt>& prompts,
                                     const Request& request) {
    if (prompts.empty())
        return filled_in(echo ? "USERNAME" : "PASSWORD", request);
    for (const auto& prompt : prompts) {
        if (asks_for(question, prompt.prompt))
            return filled_in(prompt.answer, request);
    }
    return std::nullopt;
}

Answer authenticate(const config::PamConfig& config, const Request& request,
                    const char* directory) {
    Conversation data{config, request};
    const pam_conv conversation{converse, &data};
    pam_handle_t* handle = nullptr;
    int status = pam_start_confdir(config.service.c_str(), request.username.c_str(), &conversation,
                                   directory, &handle);
    if (status != PAM_SUCCESS)
        return {request.id, Verdict::Failed, pam_strerror(handle, status)};
    if (!request.remote_host.empty())
        status = pam_set_item(handle, PAM_RHOST, request.remote_host.c_str());
    if (status == PAM_SUCCESS)
        status = pam_authenticate(handle, 0);
    if (status == PAM_SUCCESS)
        status = pam_acct_mgmt(handle, 0);
    Answer out{request.id, status == PAM_SUCCESS ? Verdict::Granted : Verdict::Denied,
               pam_strerror(handle, status)};
    pam_end(handle, status);
    return out;
}

int serve(int socket, const config::PamConfig& config) {
    // Passwords pass here.
    prctl(PR_SET_DUMPABLE, 0);
    Bytes buffer(kMaxMessage);
    int children = 0;
    const auto reap = [&](int options) {
        const bool reaped = waitpid(-1, nullptr, options) > 0;
        children -= reaped ? 1 : 0;
        return reaped;
    };
    while (true) {
        const auto got = recv(socket, buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        const auto message = std::span(buffer).first(static_cast<std::size_t>(got));
        if (auto request = decode_request(message)) {
            while (reap(WNOHANG)) {
            }
            while (children >= kUsersAtOnce && reap(0)) {
            }
            const pid_t child = fork();
            if (child == 0)
                serve_one(socket, config, *request);
            if (child > 0) {
                children++;
            } else {
                const auto answer =
                    encode(Answer{request->id, Verdict::Failed, std::strerror(errno)});
                send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
            }
        }
        OPENSSL_cleanse(buffer.data(), buffer.size());
    }
}

std::vector<std::string> to_words(const config::PamConfig& config) {
    std::vector<std::string> out = {kHelperOption, config.service};
    for (const auto& prompt : config.prompts) {
        out.push_back(prompt.prompt);
        out.push_back(prompt.answer);
    }
    return out;
}

std::optional<config::PamConfig> from_words(const std::vector<std::string>& words) {
    if (words.size() < 2 || words.size() % 2 != 0 || words[0] != kHelperOption)
        return std::nullopt;
    config::PamConfig out;
    out.service = words[1];
    for (std::size_t i = 2; i < words.size(); i += 2)
        out.prompts.push_back({words[i], words[i + 1]});
    return out;
}

} // namespace nfovpn::pam
