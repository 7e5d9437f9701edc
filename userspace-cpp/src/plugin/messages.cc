// SPDX-License-Identifier: GPL-2.0-or-later
//
// Messages about plug-ins; see messages.h.

#include "plugin/messages.h"

#include <algorithm>
#include <unordered_map>

namespace nfovpn::plugin {

namespace {

constexpr std::size_t kLongestLine = 1024;
constexpr std::size_t kMostTexts = 4096;
// Of a certificate chain, as in OpenSSL.
constexpr int kDeepest = 100;

// The kinds of replies.
constexpr std::uint8_t kAnswer = 0;
constexpr std::uint8_t kLogLine = 1;

bool is_text(ByteView bytes) {
    return std::find(bytes.begin(), bytes.end(), 0) == bytes.end();
}

// Of numbers and texts, which may be secret; what does not fit makes it bad.
class Writer {
public:
    void number(std::uint64_t value, int width) {
        ByteWriter bytes;
        for (int shift = (width - 1) * 8; shift >= 0; shift -= 8)
            bytes.u8(static_cast<std::uint8_t>(value >> shift));
        add(bytes.view());
    }
    void bytes(ByteView value) {
        number(value.size(), 4);
        add(value);
    }
    void text(std::string_view value) {
        good_ = good_ && is_text(as_bytes(value));
        bytes(as_bytes(value));
    }
    void texts(const std::vector<std::string>& all) {
        count(all.size());
        for (const auto& one : all)
            text(one);
    }
    void count(std::size_t n) {
        good_ = good_ && n <= kMostTexts;
        number(n, 2);
    }
    std::optional<SecretBytes> take() {
        if (!good_)
            return std::nullopt;
        return std::move(out_);
    }

private:
    void add(ByteView value) {
        good_ = good_ && out_.view().size() + value.size() <= kMaxMessage;
        if (good_)
            out_.append(value);
    }

    SecretBytes out_;
    bool good_ = true;
};

// The same the other way. After something that is not there all is empty, and good() is false.
class Reader {
public:
    explicit Reader(ByteView message) : in_(message) {}

    std::uint64_t number(int width) {
        std::uint64_t out = 0;
        const auto raw = in_.bytes(static_cast<std::size_t>(width));
        good_ = good_ && raw.has_value();
        for (int i = 0; good_ && i < width; i++)
            out = out << 8 | (*raw)[static_cast<std::size_t>(i)];
        return out;
    }
    // Below @p limit.
    std::uint8_t below(std::uint64_t limit) {
        const auto out = number(1);
        good_ = good_ && out < limit;
        return static_cast<std::uint8_t>(out);
    }
    ByteView bytes() {
        const auto size = number(4);
        const auto raw = good_ ? in_.bytes(static_cast<std::size_t>(size)) : std::nullopt;
        good_ = raw.has_value();
        return good_ ? *raw : ByteView();
    }
    std::string text() {
        const auto raw = bytes();
        good_ = good_ && is_text(raw);
        return std::string(good_ ? as_text(raw) : std::string_view());
    }
    std::vector<std::string> texts() {
        std::vector<std::string> out;
        for (auto n = count(); good_ && n > 0; n--)
            out.push_back(text());
        return out;
    }
    std::size_t count() {
        const auto n = number(2);
        good_ = good_ && n <= kMostTexts;
        return good_ ? static_cast<std::size_t>(n) : 0;
    }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] bool whole() const { return good_ && in_.empty(); }

private:
    ByteReader in_;
    bool good_ = true;
};

} // namespace

Request::~Request() {
    for (auto& [name, value] : environment) {
        if (name == "password")
            wipe(value);
    }
}

std::optional<SecretBytes> encode(const Request& request) {
    Writer out;
    out.number(static_cast<std::uint8_t>(request.kind), 1);
    out.number(request.id, 4);
    out.number(request.client, 8);
    out.number(static_cast<std::uint8_t>(request.hook), 1);
    // one more, so that none is 0
    const int depth = std::clamp(request.depth, -1, kDeepest) + 1;
    out.number(static_cast<std::uint64_t>(depth), 1);
    out.bytes(request.certificate);
    out.texts(request.args);
    out.count(request.environment.size());
    for (const auto& [name, value] : request.environment) {
        out.text(name);
        out.text(value);
    }
    out.count(request.plugins.size());
    for (const auto& plugin : request.plugins) {
        out.text(plugin.path);
        out.texts(plugin.words);
    }
    out.number(request.run_as ? 1 : 0, 1);
    out.number(request.run_as ? request.run_as->user : 0, 4);
    out.number(request.run_as ? request.run_as->group : 0, 4);
    out.number(request.filter ? 1 : 0, 1);
    return out.take();
}

std::optional<Request> decode_request(ByteView message) {
    Reader in(message);
    Request out;
    out.kind = static_cast<Request::Kind>(in.below(4));
    out.id = static_cast<std::uint32_t>(in.number(4));
    out.client = in.number(8);
    out.hook = static_cast<Hook>(in.below(kHooks));
    out.depth = in.below(kDeepest + 2) - 1;
    const auto certificate = in.bytes();
    out.certificate.assign(certificate.begin(), certificate.end());
    out.args = in.texts();
    for (auto n = in.count(); in.good() && n > 0; n--) {
        auto name = in.text();
        out.environment.emplace_back(std::move(name), in.text());
    }
    for (auto n = in.count(); in.good() && n > 0; n--) {
        auto path = in.text();
        out.plugins.push_back({std::move(path), in.texts()});
    }
    const bool has_identity = in.below(2) != 0;
    const auto user = static_cast<uid_t>(in.number(4));
    const auto group = static_cast<gid_t>(in.number(4));
    if (has_identity)
        out.run_as = Identity{user, group};
    out.filter = in.below(2) != 0;
    if (!in.whole() || out.plugins.size() > kMostPlugins)
        return std::nullopt;
    return out;
}

std::optional<Bytes> encode(const Answer& answer) {
    Writer out;
    out.number(kAnswer, 1);
    out.number(answer.id, 4);
    out.number(static_cast<std::uint8_t>(answer.status), 1);
    out.number(answer.hooks, 4);
    out.number(answer.plugin, 1);
    out.text(std::string_view(answer.why).substr(0, kLongestLine));
    out.texts(answer.config);
    const auto all = out.take();
    if (!all)
        return std::nullopt;
    return Bytes(all->view().begin(), all->view().end());
}

Bytes encode(const LogLine& line) {
    Writer out;
    out.number(kLogLine, 1);
    out.number(static_cast<std::uint8_t>(line.level), 1);
    auto text = line.text.substr(0, kLongestLine);
    std::erase(text, '\0');
    out.text(text);
    const auto all = out.take();
    return {all->view().begin(), all->view().end()};
}

std::optional<Reply> decode_reply(ByteView message) {
    if (message.size() > kMaxMessage)
        return std::nullopt;
    Reader in(message);
    if (in.below(2) == kLogLine) {
        LogLine line;
        line.level = static_cast<LogLine::Level>(in.below(4));
        line.text = in.text();
        if (!in.whole() || line.text.size() > kLongestLine)
            return std::nullopt;
        return line;
    }
    Answer out;
    out.id = static_cast<std::uint32_t>(in.number(4));
    out.status = static_cast<Status>(in.below(3));
    out.hooks = static_cast<HookMask>(in.number(4));
    out.plugin = in.below(kMostPlugins);
    out.why = in.text();
    out.config = in.texts();
    if (!in.whole() || (out.hooks & ~kAllHooks) != 0 || out.why.size() > kLongestLine)
        return std::nullopt;
    return out;
}

std::vector<std::string> lines_of(const Environment& environment) {
    std::vector<std::string> out;
    std::unordered_map<std::string_view, std::size_t> places;
    for (const auto& [name, value] : environment) {
        const auto [place, is_new] = places.emplace(name, out.size());
        auto line = std::string(name).append("=").append(value);
        if (is_new)
            out.push_back(std::move(line));
        else
            out[place->second].swap(line);
        // What is not there any more may have been secret.
        wipe(line);
    }
    return out;
}

} // namespace nfovpn::plugin
