// SPDX-License-Identifier: GPL-2.0-or-later
//
// Lines to words; lexer.h shows the syntax.

#include "config/lexer.h"

#include <algorithm>

namespace nfovpn::config {

namespace {

// A string as short as that is copied when it is moved.
constexpr std::size_t kInPlace = 15;

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_space(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_space(text.back()))
        text.remove_suffix(1);
    return text;
}

// Takes lines off a text.
class Lines {
public:
    explicit Lines(std::string_view text) : rest_(text) {}

    std::optional<std::string_view> next() {
        if (rest_.empty())
            return std::nullopt;
        auto end = rest_.find('\n');
        auto line = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        number_++;
        return line;
    }
    [[nodiscard]] int number() const { return number_; }

private:
    std::string_view rest_;
    int number_ = 0;
};

// The name in "<name>", if that is all there is on the line.
std::optional<std::string> block_name(std::string_view line) {
    line = trim(line);
    if (line.size() < 3 || line.front() != '<' || line.back() != '>' || line[1] == '/')
        return std::nullopt;
    return std::string(line.substr(1, line.size() - 2));
}

// "<ca>text</ca>" on one line: the name, up to the first '>'; nothing if it is another line.
std::optional<std::string> block_of_one_line(const std::string& name) {
    const auto end = name.find('>');
    if (end == std::string::npos || !name.ends_with("</" + name.substr(0, end)))
        return std::nullopt;
    return name.substr(0, end);
}

// The lines of a block, up to the one that closes it. Without one the block is the rest of the
// text. As memory is taken once, and as much as is needed, no key is left behind where a growing
// string was.
std::string block_text(Lines& lines, const std::string& name, bool& closed) {
    const auto end = "</" + name + ">";
    Lines ahead = lines;
    std::size_t count = 0;
    std::size_t length = 0;
    closed = false;
    while (auto line = ahead.next()) {
        closed = trim(*line) == end;
        if (closed)
            break;
        length += line->size() + 1;
        count++;
    }
    std::string out;
    out.reserve(length + kInPlace);
    for (std::size_t i = 0; i < count; i++) {
        out += *lines.next();
        out += '\n';
    }
    if (closed)
        lines.next();
    return out;
}

} // namespace

std::optional<std::string> split_words(std::string_view line, std::vector<std::string>& words) {
    std::size_t i = 0;
    for (;;) {
        while (i < line.size() && is_space(line[i]))
            i++;
        if (i == line.size() || line[i] == '#' || line[i] == ';')
            return std::nullopt;
        // It may be a password, and is not to be left behind where a growing string was.
        std::string word;
        if (line.size() <= kMaxSecretLine)
            word.reserve(line.size() + kInPlace);
        char quote = 0;
        for (; i < line.size() && (quote != 0 || !is_space(line[i])); i++) {
            char c = line[i];
            if (quote == '\'') {
                if (c == quote)
                    quote = 0;
                else
                    word += c;
            } else if (c == '\\') {
                if (++i == line.size()) {
                    words.push_back(std::move(word));
                    return "a backslash at the end of the line";
                }
                word += line[i];
            } else if (quote == '"' && c == quote) {
                quote = 0;
            } else if (quote == 0 && (c == '"' || c == '\'')) {
                quote = c;
            } else {
                word += c;
            }
        }
        words.push_back(std::move(word));
        if (quote != 0)
            return std::string("a quotation that begins with ") + quote + " has no end";
    }
}

std::vector<Directive> tokenize(std::string_view text, std::vector<Finding>& findings) {
    // Editors on some systems put a byte order mark in front.
    if (text.starts_with("\xef\xbb\xbf"))
        text.remove_prefix(3);
    std::vector<Directive> out;
    Lines lines(text);
    while (auto line = lines.next()) {
        if (line->find('\0') != std::string_view::npos) {
            findings.push_back({Severity::Error, lines.number(), "a zero byte in the line",
                                "is this a text file?", ""});
            return out;
        }
        Directive directive;
        directive.line = lines.number();
        if (auto name = block_name(*line)) {
            directive.name = *name;
            directive.is_inline = true;
            if (auto one = block_of_one_line(*name)) {
                findings.push_back(
                    {Severity::Error, directive.line, *one + ": a block needs lines of its own",
                     "<" + *one + ">, its text and </" + *one + "> in a line each", ""});
                continue;
            }
            bool closed = false;
            auto body = block_text(lines, *name, closed);
            if (!closed) {
                findings.push_back({Severity::Error, directive.line, "<" + *name + "> has no end",
                                    "close it by a line with </" + *name + ">", ""});
            }
            directive.args.push_back(std::move(body));
            out.push_back(std::move(directive));
            continue;
        }
        std::vector<std::string> words;
        if (auto wrong = split_words(*line, words)) {
            findings.push_back({Severity::Error, directive.line, *wrong, "", ""});
            continue;
        }
        if (words.empty())
            continue;
        directive.name = std::move(words.front());
        if (directive.name.size() > 2 && directive.name.starts_with("--"))
            directive.name.erase(0, 2);
        directive.args.assign(std::make_move_iterator(words.begin() + 1),
                              std::make_move_iterator(words.end()));
        out.push_back(std::move(directive));
    }
    return out;
}

std::string text_of(const Finding& finding) {
    return finding.hint.empty() ? finding.reason : finding.reason + " (" + finding.hint + ")";
}

std::string describe(const std::string& file, const Finding& finding) {
    std::string out = finding.file.empty() ? file : finding.file;
    if (finding.line > 0)
        out += ":" + std::to_string(finding.line);
    out += finding.severity == Severity::Error ? ": error: " : ": warning: ";
    return out + text_of(finding);
}

} // namespace nfovpn::config
