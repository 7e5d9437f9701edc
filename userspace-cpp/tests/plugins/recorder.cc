// SPDX-License-Identifier: GPL-2.0-or-later
//
// A plug-in for tests: writes down what it is called with, and answers as its arguments say. It is
// built three times, with the entry points of version 1, 2 or 3 (INTERFACE), and runs under stock
// OpenVPN as well.
//
//     plugin recorder-v3.so "FILE [WORD...]"
//
//     hooks=N     a bit for each hook that it wants; all without it
//     fail=N      answers that hook with an error
//     exit=N      ends the process at that hook
//     cannot      does not open
//     user        lets users in whose password is "secret"; tells others why not
//     defer       the same, but later, by a process of its own
//     config=TEXT options for clients, by CLIENT_CONNECT_V2; a comma for a blank
//     later       the same, when it is asked once more
//     pending     does not answer before CLIENT_CONNECT_DEFER_V2 was asked for ever
#include "plugin/interface.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace abi = nfovpn::plugin::abi;
using nfovpn::plugin::Hook;

struct Recorder {
    std::string file;
    std::vector<std::string> words;
    int clients = 0;

    [[nodiscard]] std::string value(std::string_view name) const {
        for (const auto& word : words) {
            if (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=')
                return word.substr(name.size() + 1);
        }
        return {};
    }
    [[nodiscard]] bool has(std::string_view word) const {
        return std::find(words.begin(), words.end(), word) != words.end();
    }
    [[nodiscard]] bool is(std::string_view name, int hook) const {
        return value(name) == std::to_string(hook);
    }
    void write(const std::string& text) const {
        const int fd = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0 || ::write(fd, text.data(), text.size()) < 0)
            std::fprintf(stderr, "recorder: %s\n", std::strerror(errno));
        if (fd >= 0)
            close(fd);
    }
};

struct Client {
    int number;
};

const char* variable(const char** envp, const char* name) {
    const auto length = std::strlen(name);
    for (; envp && *envp; envp++) {
        if (std::strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
            return *envp + length + 1;
    }
    return "";
}

std::string list(const char** texts, const char* before) {
    std::string out;
    for (; texts && *texts; texts++)
        out.append(before).append(*texts).append("\n");
    return out;
}

void write_file(const char* path, const char* text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, text, std::strlen(text)) >= 0)
        close(fd);
}

Recorder* open_it(unsigned& hooks, const char** argv, const char** envp) {
    if (!argv[0] || !argv[1])
        return nullptr;
    auto out = std::make_unique<Recorder>();
    out->file = argv[1];
    for (const char** word = argv + 2; *word; word++)
        out->words.emplace_back(*word);
    out->write("open uid " + std::to_string(getuid()) + "\n" + list(argv, " arg ") +
               list(envp, " env "));
    if (!out->value("hooks").empty())
        hooks = static_cast<unsigned>(std::stoul(out->value("hooks"), nullptr, 0));
    else
        hooks = nfovpn::plugin::kAllHooks & ~(1U << 11) &
                ~nfovpn::plugin::mask_of(Hook::ConnectDeferV2) &
                ~nfovpn::plugin::mask_of(Hook::ConnectDefer);
    return out->has("cannot") ? nullptr : out.release();
}

// By a process that outlives the call, as plug-ins do it.
void answer_later(const char* file, const char* answer) {
    const pid_t child = fork();
    if (child != 0) {
        waitpid(child, nullptr, 0);
        return;
    }
    if (fork() == 0) {
        usleep(300000);
        write_file(file, answer);
    }
    _exit(0);
}

void give_config(const Recorder& recorder, abi::StringList** out) {
    auto text = recorder.value("config");
    if (!out || text.empty())
        return;
    std::replace(text.begin(), text.end(), ',', ' ');
    auto* item = static_cast<abi::StringList*>(std::calloc(1, sizeof(abi::StringList)));
    item->name = strdup("config");
    item->value = strdup(text.c_str());
    *out = item;
}

int call_it(Recorder& recorder, int hook, const char** argv, const char** envp, const void* client,
            abi::StringList** out, const std::string& certificate) {
    std::string text = std::string("call ") +
                       nfovpn::plugin::kHookNames[static_cast<std::size_t>(hook)] + " uid " +
                       std::to_string(getuid());
    if (client)
        text += " client " + std::to_string(static_cast<const Client*>(client)->number);
    text += certificate + "\n" + list(argv, " arg ") + list(envp, " env ");
    recorder.write(text);
    if (recorder.is("exit", hook))
        _exit(1);
    if (recorder.is("fail", hook))
        return 1;
    const auto what = static_cast<Hook>(hook);
    if (what == Hook::VerifyUser && (recorder.has("user") || recorder.has("defer"))) {
        const bool right = std::string_view(variable(envp, "password")) == "secret";
        if (!right)
            write_file(variable(envp, "auth_failed_reason_file"), "not that word");
        if (!recorder.has("defer"))
            return right ? 0 : 1;
        answer_later(variable(envp, "auth_control_file"), right ? "1" : "0");
        return 2;
    }
    if (what == Hook::ConnectV2 && (recorder.has("later") || recorder.has("pending")))
        return 2;
    if (what == Hook::ConnectDeferV2 && recorder.has("pending"))
        return 2;
    if (what == Hook::ConnectV2 || what == Hook::ConnectDeferV2)
        give_config(recorder, out);
    return 0;
}

} // namespace

extern "C" {

#if INTERFACE == 3
int openvpn_plugin_open_v3(int version, const abi::OpenArguments* in, abi::OpenReturn* out) {
    if (version < 5 || in->ssl_api != abi::kOpenssl)
        return 1;
    unsigned hooks = 0;
    out->handle = open_it(hooks, in->argv, in->envp);
    out->hooks = static_cast<int>(hooks);
    char* text = nullptr;
    char back[8] = "";
    if (in->callbacks->base64_encode("secret", 6, &text) < 0 ||
        in->callbacks->base64_decode(text, back, sizeof(back)) != 6)
        return 1;
    in->callbacks->log(abi::kLogNote, "recorder", "%s is %s", text, back);
    in->callbacks->wipe(back, sizeof(back));
    std::free(text);
    return out->handle ? 0 : 1;
}
int openvpn_plugin_func_v3(int, const abi::CallArguments* in, abi::CallReturn* out) {
    std::string certificate;
    if (in->certificate) {
        char name[256] = "";
        X509_NAME_oneline(X509_get_subject_name(in->certificate), name, sizeof(name));
        certificate = " depth " + std::to_string(in->depth) + " of " + name;
    }
    return call_it(*static_cast<Recorder*>(in->handle), in->hook, in->argv, in->envp, in->client,
                   out->list, certificate);
}
#elif INTERFACE == 2
void* openvpn_plugin_open_v2(unsigned* hooks, const char** argv, const char** envp,
                             abi::StringList**) {
    return open_it(*hooks, argv, envp);
}
int openvpn_plugin_func_v2(void* handle, int hook, const char** argv, const char** envp,
                           void* client, abi::StringList** list_out) {
    return call_it(*static_cast<Recorder*>(handle), hook, argv, envp, client, list_out, "");
}
#else
void* openvpn_plugin_open_v1(unsigned* hooks, const char** argv, const char** envp) {
    return open_it(*hooks, argv, envp);
}
int openvpn_plugin_func_v1(void* handle, int hook, const char** argv, const char** envp) {
    return call_it(*static_cast<Recorder*>(handle), hook, argv, envp, nullptr, nullptr, "");
}
#endif

#if INTERFACE > 1
void* openvpn_plugin_client_constructor_v1(void* handle) {
    auto& recorder = *static_cast<Recorder*>(handle);
    return new Client{recorder.clients++};
}
void openvpn_plugin_client_destructor_v1(void* handle, void* client) {
    const auto* gone = static_cast<Client*>(client);
    static_cast<Recorder*>(handle)->write("gone client " + std::to_string(gone->number) + "\n");
    delete gone;
}
#endif

void openvpn_plugin_close_v1(void* handle) {
    auto* recorder = static_cast<Recorder*>(handle);
    recorder->write("close\n");
    delete recorder;
}

} // extern "C"
