// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that daemons write: whatever a configuration names stays what it is, and the user that a
// daemon runs as cannot lead its root to a file that is not its own.

#include "host/files.h"
#include "server/lease_file.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace nfovpn;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

constexpr uid_t kNobody = 65534;

class Files : public testing::Test {
protected:
    void SetUp() override {
        log::set_level(log::Level::Off);
        char pattern[] = "/tmp/nf-ovpnd-files-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        directory = pattern;
    }
    void TearDown() override { fs::remove_all(directory); }

    [[nodiscard]] std::string at(const std::string& name) const { return directory + "/" + name; }
    static void put(const std::string& path, const std::string& text) {
        std::ofstream(path) << text;
    }
    static std::string get(const std::string& path) {
        std::ifstream in(path);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static mode_t mode(const std::string& path) {
        struct stat out {};
        return lstat(path.c_str(), &out) == 0 ? out.st_mode : 0;
    }
    [[nodiscard]] std::size_t entries() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
    }

    std::string directory;
};

#define NEEDS_ROOT()                                                                               \
    if (geteuid() != 0)                                                                            \
    GTEST_SKIP() << "only root can"

} // namespace

// A daemon that has become nobody goes on writing what root has opened, in a directory where it may
// make nothing, and over any number of its own restarts.
TEST_F(Files, KeptOnesAreWrittenWithoutRights) {
    NEEDS_ROOT();
    put(at("pool"), "alice,10.8.0.4\n");
    chmod(at("pool").c_str(), 0600);
    host::KeptFile status(at("status"), true);
    host::KeptFile pool(at("pool"), true);
    host::KeptFile gone(at("gone"), true);
    fs::remove(at("gone"));
    EXPECT_FALSE(status.write("as root, and longer"));
    chmod(directory.c_str(), 0755);
    const pid_t child = fork();
    if (child == 0) {
        bool good = setgroups(0, nullptr) == 0 && setresgid(kNobody, kNobody, kNobody) == 0 &&
                    setresuid(kNobody, kNobody, kNobody) == 0;
        good = good && host::write_file(at("status"), "x").has_value();
        good = good && !status.write("as nobody") && !pool.write("bob,10.8.0.5\n");
        const auto text = pool.read();
        good = good && text && *text == "bob,10.8.0.5\n";
        good = good && gone.write("x").has_value();
        _exit(good ? 0 : 1);
    }
    int status_of_child = 0;
    ASSERT_EQ(waitpid(child, &status_of_child, 0), child);
    EXPECT_EQ(status_of_child, 0);
    EXPECT_EQ(get(at("status")), "as nobody");
    EXPECT_EQ(get(at("pool")), "bob,10.8.0.5\n");
    EXPECT_EQ(mode(at("status")), mode_t{S_IFREG | 0600});
    EXPECT_FALSE(fs::exists(at("gone"))) << "a name that is taken away stays free";
}

TEST_F(Files, KeptOnesFollowNobody) {
    NEEDS_ROOT();
    put(at("victim"), "root's");
    ASSERT_EQ(symlink("victim", at("status").c_str()), 0);
    ASSERT_EQ(lchown(at("status").c_str(), kNobody, kNobody), 0);
    host::KeptFile status(at("status"), true);
    EXPECT_TRUE(status.write("x"));
    EXPECT_FALSE(status.read());
    EXPECT_EQ(get(at("victim")), "root's");
    host::KeptFile device("/dev/null", true);
    EXPECT_FALSE(device.write("x"));
    ASSERT_TRUE(device.read());
    EXPECT_EQ(*device.read(), "");
    EXPECT_EQ(mode("/dev/null") & S_IFMT, mode_t{S_IFCHR});
}

TEST_F(Files, RegularOnesAreReplacedWhole) {
    EXPECT_FALSE(host::write_file(at("status"), "one"));
    EXPECT_EQ(get(at("status")), "one");
    EXPECT_EQ(mode(at("status")), mode_t{S_IFREG | 0600});
    std::ifstream reader(at("status"));
    chmod(at("status").c_str(), 0640);
    EXPECT_FALSE(host::write_file(at("status"), "two"));
    EXPECT_EQ(get(at("status")), "two");
    EXPECT_EQ(mode(at("status")), mode_t{S_IFREG | 0640}) << "what its owner has made of it";
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(reader), {}), "one")
        << "who reads it reads one of the two";
    EXPECT_EQ(entries(), 1U) << "something is left over";
    EXPECT_THAT(host::write_file(at("none/status"), "x").value_or(""),
                HasSubstr("No such file or directory"));
    EXPECT_THAT(host::write_file(directory, "x").value_or(""), HasSubstr("Is a directory"));
    EXPECT_THAT(host::write_file(directory + "/", "x").value_or(""), HasSubstr("Is a directory"));
}

TEST_F(Files, LinksOfOnesOwnStayAndAreFollowed) {
    fs::create_directory(at("run"));
    put(at("run/status"), "old");
    fs::create_symlink("run/status", at("link"));
    fs::create_directory_symlink(at("run"), at("var"));
    fs::create_symlink("../link", at("run/back"));
    for (const auto* name : {"link", "var/status", "run/../var/./status", "run/back"}) {
        EXPECT_FALSE(host::write_file(at(name), name));
        EXPECT_EQ(get(at("run/status")), name);
    }
    EXPECT_TRUE(fs::is_symlink(at("link")) && fs::is_symlink(at("run/back")));
    fs::create_symlink("loop", at("loop"));
    EXPECT_THAT(host::write_file(at("loop"), "x").value_or(""), HasSubstr("symbolic links"));
    fs::create_symlink("new", at("to new"));
    EXPECT_FALSE(host::write_file(at("to new"), "x"));
    EXPECT_EQ(get(at("new")), "x");
}

TEST_F(Files, DevicesAndPipesStayWhatTheyAre) {
    NEEDS_ROOT();
    // as /dev/null, which nobody should risk
    ASSERT_EQ(mknod(at("null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
    EXPECT_FALSE(host::write_file(at("null"), "text"));
    EXPECT_TRUE(S_ISCHR(mode(at("null"))));
    {
        host::PidFile pid(at("null"));
        EXPECT_TRUE(S_ISCHR(mode(at("null"))));
    }
    EXPECT_TRUE(S_ISCHR(mode(at("null")))) << "removed at the end";
    host::KeptFile kept(at("null"), true);
    server::LeaseFile leases(kept, [] {
        return std::vector<server::Lease>{{"alice", {0x0a080002}, std::nullopt}};
    });
    EXPECT_TRUE(leases.read().empty());
    leases.write();
    EXPECT_TRUE(S_ISCHR(mode(at("null"))));

    ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
    EXPECT_TRUE(host::write_file(at("pipe"), "text")) << "nobody reads, and nobody waits for that";
    const int reader = open(at("pipe").c_str(), O_RDONLY | O_NONBLOCK);
    EXPECT_FALSE(host::write_file(at("pipe"), "text"));
    char got[8]{};
    EXPECT_EQ(read(reader, got, sizeof(got)), 4);
    close(reader);
    EXPECT_TRUE(S_ISFIFO(mode(at("pipe"))));
}

TEST_F(Files, MountedOnesAreWrittenInPlace) {
    NEEDS_ROOT();
    put(at("source"), "old text");
    put(at("mounted"), "");
    if (mount(at("source").c_str(), at("mounted").c_str(), nullptr, MS_BIND, nullptr) != 0)
        GTEST_SKIP() << "nothing can be mounted here";
    EXPECT_FALSE(host::write_file(at("mounted"), "new"));
    EXPECT_EQ(get(at("source")), "new");
    umount(at("mounted").c_str());
    EXPECT_EQ(entries(), 2U);
}

// The daemon's root writes where its user may: pid file at the start, all of them after a restart.
TEST_F(Files, LinksOfAnotherUserLeadRootNowhere) {
    NEEDS_ROOT();
    put(at("shadow"), "secret");
    fs::create_directory(at("users"));
    ASSERT_EQ(chown(at("users").c_str(), kNobody, kNobody), 0);
    const auto link = [&](const std::string& target, const std::string& name) {
        fs::create_symlink(target, at(name));
        ASSERT_EQ(lchown(at(name).c_str(), kNobody, kNobody), 0);
    };
    link(at("shadow"), "users/status");
    link(directory, "users/directory");
    // that of the name that it once wrote to first
    link(at("shadow"), "users/pid.new");
    for (const auto* name : {"users/status", "users/directory/shadow"}) {
        EXPECT_THAT(host::write_file(at(name), "x").value_or(""), HasSubstr("symbolic links"));
        EXPECT_THROW(host::PidFile{at(name)}, std::runtime_error);
        EXPECT_TRUE(host::why_not_to_write(at(name)));
    }
    { host::PidFile pid(at("users/pid")); }
    EXPECT_EQ(get(at("shadow")), "secret");
    EXPECT_TRUE(fs::is_symlink(at("users/pid.new")));
}

TEST_F(Files, PidFileIsRemovedIfItIsTheSame) {
    {
        host::PidFile pid(at("pid"));
        EXPECT_EQ(get(at("pid")), std::to_string(getpid()) + "\n");
    }
    EXPECT_EQ(entries(), 0U);
    {
        host::PidFile pid(at("pid"));
        put(at("other"), "1\n");
        fs::rename(at("other"), at("pid"));
    }
    EXPECT_EQ(get(at("pid")), "1\n") << "another daemon's";
    host::PidFile none("");
}
