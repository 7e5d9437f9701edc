// SPDX-License-Identifier: GPL-2.0-or-later
//
// Log lines: their stamps, and runs of one kind that are cut short.

#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace nfovpn;
using testing::ElementsAre;
using testing::MatchesRegex;

namespace {

class Log : public testing::Test {
protected:
    void SetUp() override { log::set_level(log::Level::Debug); }
    void TearDown() override {
        log::open({});
        log::set_level(log::Level::Info);
        std::remove(file_.c_str());
    }

    void open(log::Stamp stamp, unsigned mute = 0) {
        log::Target target;
        target.file = file_;
        target.stamp = stamp;
        target.mute = mute;
        log::open(target);
    }

    [[nodiscard]] std::vector<std::string> lines() const {
        std::vector<std::string> out;
        std::ifstream in(file_);
        for (std::string line; std::getline(in, line);)
            out.push_back(line);
        return out;
    }

    std::string file_ = testing::TempDir() + "log-test-" + std::to_string(getpid());
};

} // namespace

TEST_F(Log, Stamps) {
    open(log::Stamp::LocalTime);
    log::info("a {}", 1);
    EXPECT_THAT(lines(), ElementsAre(MatchesRegex("[0-9]+-[0-9]+-[0-9]+ [0-9]+:[0-9]+:[0-9]+"
                                                  "\\.[0-9][0-9][0-9] info a 1")));
    open(log::Stamp::None);
    log::warning("b");
    EXPECT_THAT(lines(), ElementsAre("warning b"));
    open(log::Stamp::Machine);
    log::error("c");
    log::warning("d");
    log::info("e");
    log::debug("f");
    EXPECT_THAT(lines(), ElementsAre(MatchesRegex("[0-9]+\\.[0-9][0-9][0-9][0-9][0-9][0-9] 20 c"),
                                     MatchesRegex("[0-9]+\\.[0-9]+ 40 d"),
                                     MatchesRegex("[0-9]+\\.[0-9]+ 1 e"),
                                     MatchesRegex("[0-9]+\\.[0-9]+ 80 f")));
}

// Whoever chooses a name must not choose a line of the log, nor what a terminal does.
TEST_F(Log, LinesCannotBeInjected) {
    open(log::Stamp::None);
    std::string heard;
    log::set_listener([&](log::Level, std::string_view text) { heard = text; });
    log::info("{}", "a\nerror b\r\x1b[2J\x7f");
    log::set_listener({});
    EXPECT_EQ(heard, "a\\x0aerror b\\x0d\\x1b[2J\\x7f");
    log::info("{}", "Zo\u00eb\t\u20ac \U0001f600");
    // a control character of C1, an overlong line feed, a lone byte, a surrogate, a cut-off one
    log::info("{}", "\xc2\x85 \xc0\x8a \xff \xed\xa0\x80 \xe2\x82");
    EXPECT_THAT(lines(),
                ElementsAre("info " + heard, "info Zo\u00eb\t\u20ac \U0001f600",
                            "info \\xc2\\x85 \\xc0\\x8a \\xff \\xed\\xa0\\x80 \\xe2\\x82"));
    EXPECT_LT(log::one_line(std::string(100000, 'x')).size(), 9000U);
}

// What a peer causes does not fill a disk.
TEST_F(Log, PeersLinesAreLimitedByKind) {
    open(log::Stamp::None);
    for (int i = 0; i < 1000; i++) {
        log::peer_warning("client {}", i);
        log::peer_error("fault {}", i);
    }
    log::warning("another");
    const auto all = lines();
    EXPECT_EQ(all.size(), 2 * log::kPeerLines + 1);
    EXPECT_EQ(all.back(), "warning another");
}

TEST_F(Log, RunsOfOneKindAreMuted) {
    open(log::Stamp::None, 2);
    for (int i = 0; i < 5; i++)
        log::info("client {}", i);
    log::info("other");
    log::info("other");
    for (int i = 0; i < 3; i++)
        log::error("bad {}", i);
    EXPECT_THAT(lines(), ElementsAre("info client 0", "info client 1",
                                     "info 3 more of that kind, muted", "info other", "info other",
                                     "error bad 0", "error bad 1", "error bad 2"));
}

TEST_F(Log, WhatIsBelowTheLevelEndsNoRun) {
    open(log::Stamp::None, 1);
    log::set_level(log::Level::Info);
    for (int i = 0; i < 3; i++) {
        log::info("seen {}", i);
        log::debug("unseen");
    }
    EXPECT_THAT(lines(), ElementsAre("info seen 0"));
}

TEST_F(Log, AFileThatCannotBeOpened) {
    log::Target target;
    target.file = "/dev/null/log";
    EXPECT_THROW(log::open(target), std::runtime_error);
}
