// SPDX-License-Identifier: GPL-2.0-or-later
//
// Name and password, asked of whoever has started the client; see asking.h.
//
// Messages are texts with a zero byte behind each: the question has the name, "0" or "1" for
// whether the answer to the challenge may be seen, or "" if there is none, "c" for its format
// "concat", and the challenge; the answer has "" or why there is none, the name and the password.

#include "client/asking.h"

#include "io/spawn.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

namespace nfovpn::client {

namespace {

constexpr std::size_t kMaxLine = config::kMaxPassword;
// Name, password and the answer to a challenge in base64, and what is around them.
constexpr std::size_t kMaxMessage = 16384;

constexpr const char* kAskPassword[] = {"/usr/bin/systemd-ask-password",
                                        "/bin/systemd-ask-password"};

std::string base64(ByteView data) {
    std::string out(4 * ((data.size() + 2) / 3) + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), data.data(),
                                       static_cast<int>(data.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

// The terminal that a signal ends the process at gets its echo back.
int terminal_of_signal = -1;
termios settings_of_signal;

void restore_and_end(int) {
    if (terminal_of_signal >= 0)
        tcsetattr(terminal_of_signal, TCSADRAIN, &settings_of_signal);
    _exit(1);
}

/// Does not show what is typed, as long as the object lives.
class WithoutEcho {
public:
    explicit WithoutEcho(int terminal) : terminal_(terminal) {
        if (tcgetattr(terminal, &before_) != 0)
            return;
        settings_of_signal = before_;
        terminal_of_signal = terminal;
        auto silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        silent.c_lflag |= ECHONL;
        changed_ = tcsetattr(terminal, TCSADRAIN, &silent) == 0;
    }
    ~WithoutEcho() {
        if (changed_)
            tcsetattr(terminal_, TCSADRAIN, &before_);
        terminal_of_signal = -1;
    }
    WithoutEcho(const WithoutEcho&) = delete;
    WithoutEcho& operator=(const WithoutEcho&) = delete;

private:
    int terminal_;
    termios before_{};
    bool changed_ = false;
};

Result<SecretBytes, NotAnswered> read_line(int from) {
    SecretBytes out;
    for (;;) {
        std::uint8_t byte = 0;
        const auto n = read(from, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 && out.empty())
            return NotAnswered{"nothing was entered"};
        if (n <= 0 || byte == '\n')
            break;
        if (byte == '\r')
            continue;
        if (byte == 0 || out.view().size() == kMaxLine)
            return NotAnswered{"the input is too long, or contains a zero byte"};
        out.append({&byte, 1});
    }
    return out;
}

std::string ask_password_program() {
    struct stat booted {};
    // As sd_booted(3).
    if (lstat("/run/systemd/system", &booted) != 0 || !S_ISDIR(booted.st_mode))
        return "";
    for (const char* path : kAskPassword) {
        if (access(path, X_OK) == 0)
            return path;
    }
    return "";
}

Result<SecretBytes, NotAnswered> ask_systemd(const std::string& program, const std::string& prompt,
                                             bool echo) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        return NotAnswered{std::strerror(errno)};
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
        if (terminal >= 0)
            dup2(terminal, STDIN_FILENO);
        execl(program.c_str(), program.c_str(), "--icon=network-vpn", "--timeout=0",
              echo ? "--echo" : "--", echo ? "--" : prompt.c_str(),
              echo ? prompt.c_str() : static_cast<const char*>(nullptr),
              static_cast<const char*>(nullptr));
        _exit(127);
    }
    close(ends[1]);
    auto out = read_line(ends[0]);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (out && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        return NotAnswered{"systemd-ask-password has failed"};
    return out;
}

/// Texts of a message, one after the other.
class Texts {
public:
    explicit Texts(ByteView message) : rest_(message) {}
    ByteView next() {
        const auto* zero = rest_.empty() ? nullptr : std::memchr(rest_.data(), 0, rest_.size());
        if (!zero)
            return {};
        const auto length =
            static_cast<std::size_t>(static_cast<const std::uint8_t*>(zero) - rest_.data());
        const auto out = rest_.first(length);
        rest_ = rest_.subspan(length + 1);
        return out;
    }
    std::string text() { return std::string(as_text(next())); }

private:
    ByteView rest_;
};

void put(SecretBytes& message, ByteView text) {
    constexpr std::uint8_t kEnd = 0;
    message.append(text);
    message.append({&kEnd, 1});
}

SecretBytes message_of(const UserQuestion& question) {
    SecretBytes out;
    put(out, as_bytes(question.username));
    const auto& challenge = question.challenge;
    put(out, as_bytes(challenge ? (challenge->echo ? "1" : "0") : ""));
    put(out, as_bytes(challenge && challenge->concatenate ? "c" : ""));
    put(out, as_bytes(challenge ? std::string_view(challenge->text) : std::string_view()));
    return out;
}

UserQuestion question_of(ByteView message) {
    Texts texts(message);
    UserQuestion out;
    out.username = texts.text();
    const auto echo = texts.text();
    const auto format = texts.text();
    const auto text = texts.text();
    if (!echo.empty())
        out.challenge = config::StaticChallenge{text, echo == "1", format == "c"};
    return out;
}

SecretBytes message_of(const Result<UserAnswer, NotAnswered>& answer) {
    SecretBytes out;
    put(out, as_bytes(answer ? std::string_view() : std::string_view(answer.error().why)));
    if (answer) {
        put(out, as_bytes(answer->username));
        put(out, answer->password.view());
    }
    return out;
}

Result<UserAnswer, NotAnswered> answer_of(ByteView message) {
    Texts texts(message);
    const auto why = texts.text();
    if (!why.empty() || message.empty())
        return NotAnswered{message.empty() ? "whoever asks has ended" : why};
    UserAnswer out;
    out.username = texts.text();
    out.password = SecretBytes(texts.next());
    return out;
}

} // namespace

Result<UserAnswer, NotAnswered> ask_all(const UserQuestion& question, const AskLine& ask) {
    UserAnswer out;
    out.username = question.username;
    if (out.username.empty()) {
        auto name = ask("Enter Auth Username:", true);
        if (!name)
            return name.error();
        out.username = as_text(name->view());
    }
    if (out.username.empty() || out.username.size() > config::kMaxUsername)
        return NotAnswered{"the name is empty, or too long"};
    auto password = ask("Enter Auth Password:", false);
    if (!password)
        return password.error();
    out.password = std::move(*password);
    if (const auto& challenge = question.challenge) {
        auto response = ask("CHALLENGE: " + challenge->text, challenge->echo);
        if (!response)
            return response.error();
        if (challenge->concatenate) {
            out.password.append(response->view());
        } else {
            auto coded = "SCRV1:" + base64(out.password.view()) + ":" + base64(response->view());
            out.password = SecretBytes(as_bytes(coded));
            OPENSSL_cleanse(coded.data(), coded.size());
        }
    }
    return out;
}

Result<SecretBytes, NotAnswered> ask_somebody(const std::string& prompt, bool echo) {
    const auto program = ask_password_program();
    if (!program.empty())
        return ask_systemd(program, prompt, echo);
    const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal < 0)
        return NotAnswered{"there is no terminal, and no systemd-ask-password"};
    auto out = ask_terminal(terminal, prompt, echo);
    close(terminal);
    return out;
}

Result<SecretBytes, NotAnswered> ask_terminal(int terminal, const std::string& prompt, bool echo) {
    // Before anything is asked: whoever answers may be quick.
    std::optional<WithoutEcho> without;
    if (!echo)
        without.emplace(terminal);
    const auto text = prompt + " ";
    if (write(terminal, text.data(), text.size()) < 0)
        return NotAnswered{std::string("the terminal: ") + std::strerror(errno)};
    return read_line(terminal);
}

int serve_questions(int socket) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
        std::signal(signal, restore_and_end);
    Bytes buffer(kMaxMessage);
    for (;;) {
        const auto n = recv(socket, buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        const auto question = question_of(ByteView(buffer).first(static_cast<std::size_t>(n)));
        const auto answer = message_of(ask_all(question, ask_somebody));
        if (::send(socket, answer.view().data(), answer.view().size(), MSG_NOSIGNAL) < 0)
            return 1;
    }
}

AskProcess::AskProcess(std::string program) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        throw std::system_error(errno, std::generic_category(), "auth-user-pass");
    socket_ = ends[0];
    std::vector<std::string> words = {std::move(program), kAskOption};
    std::vector<std::string> environment = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    for (const char* name : {"TERM", "LANG"}) {
        if (const char* value = getenv(name))
            environment.push_back(std::string(name) + "=" + value);
    }
    const int error = io::Spawn(ends[1], io::Spawn::Group::Ours).start(words, environment, child_);
    close(ends[1]);
    if (error != 0) {
        close(socket_);
        throw std::system_error(error, std::generic_category(), "auth-user-pass");
    }
}

// Stops the process, which may be waiting for an answer. A daemon that has given up its privileges
// may not send signals to it: then it ends after the next answer, when its socket is closed.
AskProcess::~AskProcess() {
    close(socket_);
    if (kill(child_, SIGTERM) == 0)
        waitpid(child_, nullptr, 0);
}

Asker::Asker(asio::io_context& context, const AskProcess& process)
    : socket_(context, dup(process.socket())) {}

void Asker::ask(const UserQuestion& question, Done done) {
    // Whoever is in the middle of typing goes on, and what comes of it is for the last who asks.
    const bool again = waiting_;
    done_ = std::move(done);
    if (again)
        return;
    const auto message = message_of(question);
    if (::send(socket_.native_handle(), message.view().data(), message.view().size(),
               MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        ::shutdown(socket_.native_handle(), SHUT_RD); // which is answered as if it had ended
    waiting_ = true;
    wait();
}

void Asker::wait() {
    socket_.async_wait(
        asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
            if (error)
                return;
            waiting_ = false;
            Bytes buffer(kMaxMessage);
            const auto n =
                recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            SecretBytes message(std::move(buffer));
            auto answer = answer_of(message.view().first(n > 0 ? static_cast<std::size_t>(n) : 0));
            if (auto done = std::exchange(done_, nullptr))
                done(std::move(answer));
        });
}

} // namespace nfovpn::client
