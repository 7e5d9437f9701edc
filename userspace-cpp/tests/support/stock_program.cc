// SPDX-License-Identifier: GPL-2.0-or-later
//
// Running the stock OpenVPN; see stock_program.h.

#include "support/stock_program.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace nfovpn::test {

std::string find_openvpn() {
    if (const char* named = std::getenv("OPENVPN_PROGRAM"))
        return named;
    std::istringstream path(std::string(std::getenv("PATH") ? std::getenv("PATH") : "") +
                            ":/usr/local/sbin:/usr/sbin");
    for (std::string dir; std::getline(path, dir, ':');) {
        auto file = dir + "/openvpn";
        if (!dir.empty() && access(file.c_str(), X_OK) == 0)
            return file;
    }
    return "";
}

StockProgram::StockProgram() {
    char pattern[] = "/tmp/nf-ovpnd-test-XXXXXX";
    if (!mkdtemp(pattern))
        throw std::runtime_error("no directory for a test");
    directory_ = pattern;
}

StockProgram::~StockProgram() {
    stop(SIGKILL);
    std::filesystem::remove_all(directory_);
}

void StockProgram::write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ + "/" + name) << text;
}

std::string StockProgram::read(const std::string& name) const {
    std::ifstream in(directory_ + "/" + name);
    return {std::istreambuf_iterator<char>(in), {}};
}

bool StockProgram::start(const std::string& program, const std::string& configuration) {
    pid_ = fork();
    if (pid_ == 0) {
        execl(program.c_str(), program.c_str(), "--cd", directory_.c_str(), "--config",
              configuration.c_str(), static_cast<char*>(nullptr));
        _exit(127);
    }
    return pid_ > 0;
}

void StockProgram::stop(int signal) {
    if (pid_ <= 0)
        return;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
}

bool StockProgram::ended() {
    if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_)
        pid_ = 0;
    return pid_ <= 0;
}

} // namespace nfovpn::test
