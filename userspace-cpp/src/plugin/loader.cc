// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plug-ins in this process; see loader.h.

#include "plugin/loader.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <dlfcn.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

namespace nfovpn::plugin {

namespace {

// The interface has no argument by which a plug-in could say which log is meant.
std::function<void(const LogLine&)>& the_log() {
    static std::function<void(const LogLine&)> log;
    return log;
}

void log_list(unsigned flags, const char* plugin, const char* format, va_list arguments) {
    const int error = errno;
    if (!format || !plugin || *plugin == '\0' || !the_log())
        return;
    char text[1024];
    if (std::vsnprintf(text, sizeof(text), format, arguments) < 0)
        return;
    LogLine line;
    line.level = (flags & abi::kLogError) != 0     ? LogLine::Level::Error
                 : (flags & abi::kLogWarning) != 0 ? LogLine::Level::Warning
                 : (flags & abi::kLogNote) != 0    ? LogLine::Level::Note
                                                   : LogLine::Level::Debug;
    line.text = std::string(plugin).append(": ").append(text);
    if ((flags & abi::kLogErrno) != 0)
        line.text.append(": ").append(std::strerror(error));
    the_log()(line);
}

// The interface has it so.
// NOLINTNEXTLINE(cert-dcl50-cpp)
void log_line(unsigned flags, const char* plugin, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_list(flags, plugin, format, arguments);
    va_end(arguments);
}

int base64_encode(const void* data, int size, char** out) {
    if (size < 0 || size > (std::numeric_limits<int>::max() - 4) / 4 * 3)
        return -1;
    auto* text = static_cast<char*>(std::malloc((static_cast<std::size_t>(size) + 2) / 3 * 4 + 1));
    if (!text)
        return -1;
    *out = text;
    return EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text),
                           static_cast<const unsigned char*>(data), size);
}

// EVP_DecodeBlock() counts the padding as zeros.
int base64_decode(const char* text, void* out, int size) {
    const auto length = std::strlen(text);
    if (length % 4 != 0 || length > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        return -1;
    Bytes bytes(length / 4 * 3 + 1);
    int got = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text),
                              static_cast<int>(length));
    for (auto at = length; got > 0 && at > 0 && length - at < 2 && text[at - 1] == '='; at--)
        got--;
    const bool fits = got >= 0 && got <= size;
    if (fits)
        std::memcpy(out, bytes.data(), static_cast<std::size_t>(got));
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return fits ? got : -1;
}

abi::Callbacks& callbacks() {
    static abi::Callbacks all{log_line, log_list, OPENSSL_cleanse, base64_encode, base64_decode};
    return all;
}

// Texts as an array with a null pointer at its end.
class Texts {
public:
    explicit Texts(std::vector<std::string> texts) : texts_(std::move(texts)) {
        for (const auto& text : texts_)
            pointers_.push_back(text.c_str());
        pointers_.push_back(nullptr);
    }
    ~Texts() {
        for (auto& text : texts_)
            wipe(text); // there may be a password in an environment
    }
    Texts(const Texts&) = delete;
    Texts& operator=(const Texts&) = delete;

    const char** get() { return pointers_.data(); }

private:
    std::vector<std::string> texts_;
    std::vector<const char*> pointers_;
};

// What a plug-in has returned; of "config" the first one counts.
class Returned {
public:
    Returned() = default;
    ~Returned() {
        while (auto* item = list_) {
            list_ = item->next;
            std::free(item->name);
            std::free(item->value);
            std::free(item);
        }
    }
    Returned(const Returned&) = delete;
    Returned& operator=(const Returned&) = delete;

    abi::StringList** out() { return &list_; }
    [[nodiscard]] std::optional<std::string> config() const {
        for (const auto* item = list_; item; item = item->next) {
            if (item->name && item->value && std::strcmp(item->name, "config") == 0)
                return item->value;
        }
        return std::nullopt;
    }

private:
    abi::StringList* list_ = nullptr;
};

struct CertificateFree {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, CertificateFree>;

Certificate certificate_of(const Bytes& der) {
    const auto* at = der.data();
    return Certificate(der.empty() ? nullptr
                                   : d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

} // namespace

struct Loader::Loaded {
    explicit Loaded(Plugin which) : plugin(std::move(which)), argv(plugin.words) {}
    ~Loaded() {
        if (is_open && close)
            close(handle);
        if (library)
            dlclose(library);
    }
    Loaded(const Loaded&) = delete;
    Loaded& operator=(const Loaded&) = delete;

    template <typename T>
    void find(T& function, const char* symbol) {
        function = reinterpret_cast<T>(dlsym(library, symbol));
    }

    Plugin plugin;
    Texts argv; ///< OpenVPN's are there as long as it runs, and plug-ins rely on that
    void* library = nullptr;
    abi::Open1 open1 = nullptr;
    abi::Open2 open2 = nullptr;
    abi::Open3 open3 = nullptr;
    abi::Call1 call1 = nullptr;
    abi::Call2 call2 = nullptr;
    abi::Call3 call3 = nullptr;
    abi::Close close = nullptr;
    abi::NewClient new_client = nullptr;
    abi::OldClient old_client = nullptr;
    int when = abi::kBeforeDaemon;
    bool is_open = false;
    void* handle = nullptr;
    HookMask hooks = 0;
};

Loader::Loader(std::function<void(const LogLine&)> log) {
    the_log() = std::move(log);
}

Loader::~Loader() {
    while (!clients_.empty())
        forget(clients_.begin()->first);
}

std::optional<std::string> Loader::load(Loaded& loaded) const {
    auto& l = loaded;
    l.library = dlopen(l.plugin.path.c_str(), RTLD_NOW);
    if (!l.library) {
        const char* why = dlerror();
        return std::string("cannot be loaded: ").append(why ? why : "?");
    }
    l.find(l.open1, "openvpn_plugin_open_v1");
    l.find(l.open2, "openvpn_plugin_open_v2");
    l.find(l.open3, "openvpn_plugin_open_v3");
    l.find(l.call1, "openvpn_plugin_func_v1");
    l.find(l.call2, "openvpn_plugin_func_v2");
    l.find(l.call3, "openvpn_plugin_func_v3");
    l.find(l.close, "openvpn_plugin_close_v1");
    l.find(l.new_client, "openvpn_plugin_client_constructor_v1");
    l.find(l.old_client, "openvpn_plugin_client_destructor_v1");
    if ((!l.open1 && !l.open2 && !l.open3) || (!l.call1 && !l.call2 && !l.call3) || !l.close)
        return l.plugin.path + ": is no plug-in of OpenVPN: it lacks openvpn_plugin_" +
               (!l.close                           ? "close_v1"
                : !l.open1 && !l.open2 && !l.open3 ? "open_v1, _v2 and _v3"
                                                   : "func_v1, _v2 and _v3");
    abi::Number wanted = nullptr;
    l.find(wanted, "openvpn_plugin_min_version_required_v1");
    if (wanted && wanted() > abi::kInterfaceVersion)
        return l.plugin.path + ": wants version " + std::to_string(wanted()) +
               " of the interface, and there is version 3";
    abi::Number when = nullptr;
    l.find(when, "openvpn_plugin_select_initialization_point_v1");
    if (when)
        l.when = when();
    if (l.when < abi::kBeforeConfiguration || l.when > abi::kAfterUser)
        return l.plugin.path + ": wants to be opened at an unknown point";
    return std::nullopt;
}

std::optional<std::string> Loader::open_one(Loaded& loaded) const {
    auto& l = loaded;
    Texts envp(lines_of(environment_));
    Returned list;
    unsigned hooks = kAllHooks;
    if (l.open3) {
        const abi::OpenArguments in{static_cast<int>(kAllHooks),
                                    l.argv.get(),
                                    envp.get(),
                                    &callbacks(),
                                    abi::kOpenssl,
                                    "2.7.0",
                                    2,
                                    7,
                                    ".0"};
        abi::OpenReturn out{0, nullptr, list.out()};
        if (l.open3(abi::kStructVersion, &in, &out) == static_cast<int>(Status::Success)) {
            l.handle = out.handle;
            hooks = static_cast<unsigned>(out.hooks);
        }
    } else if (l.open2) {
        l.handle = l.open2(&hooks, l.argv.get(), envp.get(), list.out());
    } else {
        l.handle = l.open1(&hooks, l.argv.get(), envp.get());
    }
    if (!l.handle)
        return l.plugin.path + ": its initialization failed";
    l.is_open = true;
    if ((hooks & ~kAllHooks) != 0)
        return l.plugin.path + ": wants to be called for what does not exist";
    if (list.config())
        return l.plugin.path + ": returns options of the configuration, which are not taken";
    l.hooks = hooks;
    return std::nullopt;
}

std::optional<Loader::Failure> Loader::open_at(bool later) {
    for (std::size_t i = 0; i < plugins_.size(); i++) {
        auto& loaded = *plugins_[i];
        if (loaded.is_open || (loaded.when == abi::kAfterUser) != later)
            continue;
        if (auto why = open_one(loaded))
            return Failure{static_cast<std::uint8_t>(i), *why};
        auto& data = clients_[kNoClient];
        data.resize(plugins_.size());
        if (loaded.new_client)
            data[i] = loaded.new_client(loaded.handle);
    }
    return std::nullopt;
}

std::optional<Loader::Failure> Loader::open(const std::vector<Plugin>& plugins,
                                            const Environment& environment) {
    environment_ = environment;
    for (const auto& plugin : plugins) {
        auto& loaded = plugins_.emplace_back(std::make_unique<Loaded>(plugin));
        if (auto why = load(*loaded))
            return Failure{static_cast<std::uint8_t>(plugins_.size() - 1), *why};
    }
    return open_at(false);
}

std::optional<Loader::Failure> Loader::open_later() {
    return open_at(true);
}

HookMask Loader::hooks() const {
    HookMask out = 0;
    for (const auto& loaded : plugins_)
        out |= loaded->hooks;
    return out;
}

std::vector<void*>& Loader::data_of(std::uint64_t client) {
    const auto [found, is_new] = clients_.try_emplace(client, plugins_.size(), nullptr);
    for (std::size_t i = 0; is_new && i < plugins_.size(); i++) {
        const auto& loaded = *plugins_[i];
        if (loaded.is_open && loaded.new_client)
            found->second[i] = loaded.new_client(loaded.handle);
    }
    return found->second;
}

void Loader::forget(std::uint64_t client) {
    auto node = clients_.extract(client);
    for (std::size_t i = 0; node && i < node.mapped().size(); i++) {
        const auto& loaded = *plugins_[i];
        if (node.mapped()[i] && loaded.old_client)
            loaded.old_client(loaded.handle, node.mapped()[i]);
    }
}

Status Loader::call_one(Loaded& loaded, const Request& request, void* client, X509* certificate,
                        std::vector<std::string>& config) const {
    auto words = request.args;
    words.insert(words.begin(),
                 loaded.plugin.words.empty() ? loaded.plugin.path : loaded.plugin.words.front());
    Texts argv(std::move(words));
    Texts envp(lines_of(request.environment));
    Returned list;
    const bool returns = request.hook == Hook::ConnectV2 || request.hook == Hook::ConnectDeferV2;
    auto** out = returns ? list.out() : nullptr;
    const int hook = static_cast<int>(request.hook);
    int status = static_cast<int>(Status::Error);
    if (loaded.call3) {
        const abi::CallArguments in{hook,          argv.get(), envp.get(),
                                    loaded.handle, client,     certificate ? request.depth : -1,
                                    certificate};
        abi::CallReturn answer{out};
        status = loaded.call3(abi::kStructVersion, &in, &answer);
    } else if (loaded.call2) {
        status = loaded.call2(loaded.handle, hook, argv.get(), envp.get(), client, out);
    } else {
        status = loaded.call1(loaded.handle, hook, argv.get(), envp.get());
    }
    if (auto text = list.config())
        config.push_back(std::move(*text));
    // Anything else is as good as an error.
    return status == static_cast<int>(Status::Success)    ? Status::Success
           : status == static_cast<int>(Status::Deferred) ? Status::Deferred
                                                          : Status::Error;
}

Answer Loader::call(const Request& request) {
    Answer out;
    out.id = request.id;
    const auto certificate = certificate_of(request.certificate);
    bool failed = false;
    unsigned deferred = 0;
    auto& data = data_of(request.client);
    for (std::size_t i = 0; i < plugins_.size(); i++) {
        auto& loaded = *plugins_[i];
        if (!loaded.is_open || (loaded.hooks & mask_of(request.hook)) == 0)
            continue;
        const auto status = call_one(loaded, request, data[i], certificate.get(), out.config);
        failed = failed || status == Status::Error;
        deferred += status == Status::Deferred ? 1 : 0;
        if (status == Status::Error && the_log())
            the_log()({LogLine::Level::Warning,
                       loaded.plugin.path + ": " + name_of(request.hook) + " failed"});
    }
    // They would all write to the same file.
    if (request.hook == Hook::VerifyUser && deferred > 1) {
        failed = true;
        if (the_log())
            the_log()({LogLine::Level::Error,
                       "several plug-ins defer their answers about one user, who is refused"});
    }
    out.status = failed ? Status::Error : deferred > 0 ? Status::Deferred : Status::Success;
    return out;
}

} // namespace nfovpn::plugin
