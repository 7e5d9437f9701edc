// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plug-ins: the daemon's end of plugin/helper.h.
//
//     process ─▶ PluginProcess   started while there are privileges, stays from one daemon to the
//                                next; it cannot be started anew, as these are then gone
//     daemon  ─▶ PluginCalls     what is asked and told; one call at a time, since plug-ins know no
//                                other way, and the daemon goes on meanwhile
//
// A process that has ended, or says what it could not say, answers everything with an error, which
// is a refusal; the daemon is told and ends.
#pragma once

#include "config/common_config.h"
#include "plugin/messages.h"
#include "util/descriptor.h"
#include "util/endpoint.h"
#include "util/fair_queue.h"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace nfovpn::host {

/// A peer as IPCHANGE has it: "[AF_INET]192.0.2.1 1194".
std::string plugin_address(const Address& address, const std::string& port);

class PluginProcess {
public:
    /// Starts it and has all plug-ins opened. Throws std::runtime_error, with the file and the line
    /// of the one that cannot be; @p main_file is the one that has no name in it. @p program is
    /// this one, or in tests another that does the same.
    PluginProcess(const std::vector<config::PluginConfig>& plugins, std::string main_file,
                  const Environment& environment, std::string program = "/proc/self/exe");
    /// Waits for the plug-ins to close, but not for long.
    ~PluginProcess();
    PluginProcess(const PluginProcess&) = delete;
    PluginProcess& operator=(const PluginProcess&) = delete;

    /// What the plug-ins want to be called for; more of it once confine() has opened the last ones.
    [[nodiscard]] bool wants(plugin::Hook hook) const {
        return (hooks_ & plugin::mask_of(hook)) != 0;
    }
    [[nodiscard]] bool wants_any(plugin::HookMask hooks) const { return (hooks_ & hooks) != 0; }

    /// It gives up its privileges, if it has not yet. Throws std::runtime_error.
    void confine(const config::CommonConfig& config);

    /// Calls the plug-ins and waits, while nothing else is asked. An error also if it does not
    /// answer in time.
    plugin::Status call_and_wait(plugin::Hook hook, std::vector<std::string> args,
                                 Environment environment);

    // ---- for PluginCalls
    [[nodiscard]] int socket() const { return socket_.get(); }
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }
    std::uint32_t next_id() { return ++last_id_; }
    bool send(const plugin::Request& request);
    /// One message; nothing if there is none now. Lines for the log are logged, and none.
    enum class Got { Nothing, Answer, LogLine, End };
    Got receive(plugin::Answer& answer);
    /// It is not to be trusted any more.
    void give_up() { broken_ = true; }
    [[nodiscard]] bool broken() const { return broken_; }

private:
    std::optional<plugin::Answer> ask(plugin::Request& request, std::chrono::seconds limit);
    [[noreturn]] void fail(const plugin::Answer& answer) const;

    std::vector<config::PluginConfig> plugins_;
    std::string main_file_;
    Descriptor socket_;
    Descriptor pidfd_;
    pid_t child_ = -1;
    std::uint32_t last_id_ = 0;
    plugin::HookMask hooks_ = 0;
    bool confined_ = false;
    bool broken_ = false;
};

class PluginCalls {
public:
    /// Gets the answer; an error if there is none.
    using Done = std::function<void(const plugin::Answer&)>;

    /// @p settle is called after every answer, @p gone once when the process has ended. All must
    /// outlive the object.
    PluginCalls(PluginProcess& process, asio::io_context& context, std::function<void()> settle,
                std::function<void(const std::string& why)> gone);
    PluginCalls(const PluginCalls&) = delete;
    PluginCalls& operator=(const PluginCalls&) = delete;

    [[nodiscard]] bool wants(plugin::Hook hook) const { return process_.wants(hook); }

    /// Something about a client, which comes from @p source: sources take turns.
    void ask(std::uint64_t source, plugin::Request request, Done done);
    /// In the order of what happened, and before what is asked.
    void tell(plugin::Request request, Done done = nullptr);
    /// The client is gone: it is not called back, and plug-ins drop what they know of it.
    void forget(std::uint64_t client);

    /// What is to be told.
    [[nodiscard]] std::size_t waiting() const { return notices_.size(); }
    [[nodiscard]] bool idle() const { return !current_ && notices_.empty() && asked_.size() == 0; }

private:
    struct Item {
        plugin::Request request;
        Done done;
        std::optional<std::uint64_t> source; ///< of what is asked
    };
    struct Current {
        std::uint32_t id = 0;
        std::uint64_t client = plugin::kNoClient;
        Done done;
        std::optional<std::uint64_t> source;
    };

    void start_next();
    void start(Item item);
    void answered(const plugin::Answer& answer);
    void wait_for_answers();
    void wait_for_end();
    void ended(const std::string& why);

    PluginProcess& process_;
    asio::io_context& context_;
    std::function<void()> settle_;
    std::function<void(const std::string&)> gone_;
    asio::posix::stream_descriptor answers_;
    asio::posix::stream_descriptor end_;
    std::deque<Item> notices_;
    FairQueue<Item> asked_;
    std::optional<Current> current_;
    std::set<std::uint64_t> clients_; ///< that plug-ins know
    bool ended_ = false;
};

} // namespace nfovpn::host
