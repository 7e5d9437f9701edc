// SPDX-License-Identifier: GPL-2.0-or-later
//
// The stock OpenVPN of this machine, as a child process in a directory of its own.
#pragma once

#include <sys/types.h>

#include <string>

namespace nfovpn::test {

/// What OPENVPN_PROGRAM names; "openvpn" otherwise, searched in PATH and the sbin directories.
/// Empty if there is none.
std::string find_openvpn();

/// A process that ends with its object.
class StockProgram {
public:
    StockProgram();
    ~StockProgram();
    StockProgram(const StockProgram&) = delete;
    StockProgram& operator=(const StockProgram&) = delete;

    [[nodiscard]] const std::string& directory() const { return directory_; }
    void write(const std::string& name, const std::string& text) const;
    [[nodiscard]] std::string read(const std::string& name) const;

    /// Starts it with that file of the directory as its configuration. False if it cannot be.
    bool start(const std::string& program, const std::string& configuration);
    void stop(int signal);
    /// Whether it has ended by itself.
    bool ended();
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    std::string directory_;
    pid_t pid_ = 0;
};

} // namespace nfovpn::test
