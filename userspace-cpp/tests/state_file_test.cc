// SPDX-License-Identifier: GPL-2.0-or-later
//
// Records in a memory file: what one process has written, another one reads, wherever the first was
// when it ended; and what is no record is none.

#include "util/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <random>
#include <string>

using namespace nfovpn;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

ByteView bytes(const std::string& text) {
    return as_bytes(text);
}

/// The file as another process sees it.
StateFile::Contents seen(const StateFile& file) {
    auto other = StateFile::open(Descriptor(fcntl(file.fd(), F_DUPFD_CLOEXEC, 0)));
    return other ? other->read() : StateFile::Contents{{}, 99};
}

std::vector<std::string> texts(const StateFile::Contents& contents) {
    std::vector<std::string> out;
    for (const auto& record : contents.records)
        out.emplace_back(as_text(record.content.view()));
    return out;
}

/// All of its bytes.
Bytes raw(const StateFile& file) {
    struct stat status {};
    EXPECT_EQ(fstat(file.fd(), &status), 0);
    Bytes out(static_cast<std::size_t>(status.st_size));
    EXPECT_EQ(pread(file.fd(), out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
    return out;
}

/// A file of that content, as somebody else would make it.
std::optional<StateFile> made_of(ByteView content, bool sealed = true) {
    Descriptor file(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(pwrite(file.get(), content.data(), content.size(), 0),
              static_cast<ssize_t>(content.size()));
    if (sealed)
        fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK);
    return StateFile::open(std::move(file));
}

bool has(ByteView where, const std::string& what) {
    return std::search(where.begin(), where.end(), what.begin(), what.end()) != where.end();
}

} // namespace

TEST(StateFile, AnotherProcessReadsWhatWasWritten) {
    auto file = StateFile::create();
    ASSERT_TRUE(file);
    const auto first = *file->take_slot();
    const auto second = *file->take_slot();
    EXPECT_EQ(first, 0U);
    EXPECT_EQ(second, 1U);
    EXPECT_THAT(texts(seen(*file)), IsEmpty());
    EXPECT_TRUE(file->write(first, bytes("server")));
    EXPECT_TRUE(file->write(second, bytes("one")));
    EXPECT_TRUE(file->write(second, bytes("two")));
    EXPECT_TRUE(file->write(second, bytes("three")));
    EXPECT_THAT(texts(seen(*file)), ElementsAre("server", "three"));
    EXPECT_EQ(seen(*file).damaged, 0U);
    // Of the ones before nothing is left.
    EXPECT_FALSE(has(raw(*file), "two"));
    file->erase(second);
    EXPECT_THAT(texts(seen(*file)), ElementsAre("server"));
    EXPECT_FALSE(has(raw(*file), "three"));
    EXPECT_EQ(file->take_slot(), second);
    file->clear();
    const auto all = raw(*file);
    EXPECT_TRUE(std::all_of(all.begin(), all.end(), [](auto byte) { return byte == 0; }));
}

TEST(StateFile, TheNextOneGoesOnWithIt) {
    auto file = StateFile::create();
    for (const auto* text : {"a", "b", "c"})
        EXPECT_TRUE(file->write(*file->take_slot(), bytes(text)));
    file->erase(1);
    auto next = StateFile::open(Descriptor(fcntl(file->fd(), F_DUPFD_CLOEXEC, 0)));
    ASSERT_TRUE(next);
    EXPECT_THAT(texts(next->read()), ElementsAre("a", "c"));
    // Its records are newer, and what is free is found again.
    EXPECT_TRUE(next->write(2, bytes("d")));
    EXPECT_EQ(next->take_slot(), 1U);
    EXPECT_EQ(next->take_slot(), 3U);
    EXPECT_THAT(texts(seen(*next)), ElementsAre("a", "d"));
    next->erase(0);
    next->reserve(0);
    EXPECT_TRUE(next->write(0, bytes("e")));
    EXPECT_EQ(next->take_slot(), 4U);
    EXPECT_THAT(texts(seen(*next)), ElementsAre("e", "d"));
}

// A process that ends while it writes leaves the old record, or the new one.
TEST(StateFile, EndsInTheMiddleOfWriting) {
    auto file = StateFile::create();
    const auto slot = *file->take_slot();
    EXPECT_TRUE(file->write(slot, bytes("the old one")));
    const auto before = raw(*file);
    EXPECT_TRUE(file->write(slot, bytes("another one")));
    const auto after = raw(*file);
    // Both are whole: the newer one counts.
    auto both = before;
    for (std::size_t i = 0; i < both.size(); i++)
        both[i] = static_cast<std::uint8_t>(before[i] | after[i]);
    auto read = made_of(both);
    ASSERT_TRUE(read);
    EXPECT_THAT(texts(read->read()), ElementsAre("another one"));
    EXPECT_FALSE(has(raw(*read), "the old one"));
    // The new one lacks something, whatever it is.
    const std::size_t place = before[8 * 0] == 0 ? 0 : StateFile::kHalf;
    for (std::size_t i = 0; i < StateFile::kHeader + 11; i++) {
        auto cut = both;
        cut[place + i] ^= 1;
        auto damaged = made_of(cut);
        ASSERT_TRUE(damaged);
        EXPECT_THAT(texts(damaged->read()), ElementsAre("the old one")) << "byte " << i;
    }
}

TEST(StateFile, AnyOtherByteIsNoRecord) {
    auto file = StateFile::create();
    EXPECT_TRUE(file->write(*file->take_slot(), bytes("content")));
    const auto good = raw(*file);
    const std::size_t place = good[0] != 0 ? 0 : StateFile::kHalf;
    for (std::size_t i = 0; i < StateFile::kHeader + 7; i++) {
        auto bad = good;
        bad[place + i] ^= 0x10;
        auto read = made_of(bad);
        ASSERT_TRUE(read);
        const auto contents = read->read();
        EXPECT_THAT(contents.records, IsEmpty()) << "byte " << i;
        EXPECT_EQ(contents.damaged, 1U);
        EXPECT_FALSE(has(raw(*read), std::string("content").substr(0, 6))) << "wiped";
    }
    // A record is one of its own place only.
    auto moved = Bytes(good.size());
    std::copy_n(good.begin() + static_cast<long>(place), StateFile::kHalf,
                moved.begin() + static_cast<long>(5 * StateFile::kSlot + place));
    EXPECT_EQ(made_of(moved)->read().damaged, 1U);
}

TEST(StateFile, RandomFilesHaveNoRecords) {
    std::mt19937 random(1); // NOLINT: the same each time
    for (int round = 0; round < 20; round++) {
        Bytes noise(StateFile::kSlotsAtOnce * StateFile::kSlot);
        for (auto& byte : noise)
            byte = static_cast<std::uint8_t>(random());
        auto read = made_of(noise);
        ASSERT_TRUE(read);
        const auto contents = read->read();
        EXPECT_THAT(contents.records, IsEmpty());
        EXPECT_EQ(contents.damaged, StateFile::kSlotsAtOnce);
    }
}

TEST(StateFile, WhatIsNoSuchFile) {
    const Bytes content(StateFile::kSlotsAtOnce * StateFile::kSlot);
    EXPECT_TRUE(made_of(content));
    EXPECT_FALSE(made_of(content, false)) << "it could be cut off under us";
    EXPECT_FALSE(made_of(ByteView(content).first(content.size() - 1)));
    EXPECT_FALSE(made_of({}));
    EXPECT_FALSE(StateFile::open(Descriptor(open("/dev/null", O_RDWR | O_CLOEXEC))));
    EXPECT_FALSE(StateFile::open(Descriptor()));
    auto file = StateFile::create();
    const int seals = fcntl(file->fd(), F_GET_SEALS);
    EXPECT_EQ(seals & (F_SEAL_SHRINK | F_SEAL_SEAL), F_SEAL_SHRINK | F_SEAL_SEAL);
    EXPECT_NE(ftruncate(file->fd(), 0), 0);
}

TEST(StateFile, LongOnesAndManyOfThem) {
    auto file = StateFile::create();
    const auto slot = *file->take_slot();
    const Bytes most(StateFile::kMaxContent, 7);
    EXPECT_TRUE(file->write(slot, most));
    EXPECT_EQ(seen(*file).records.at(0).content.view().size(), most.size());
    EXPECT_FALSE(file->write(slot, Bytes(StateFile::kMaxContent + 1)));
    EXPECT_THAT(seen(*file).records, IsEmpty()) << "none rather than an old one";
    for (std::size_t i = 1; i < 3 * StateFile::kSlotsAtOnce; i++) {
        const auto more = file->take_slot();
        ASSERT_EQ(more, i);
        EXPECT_TRUE(file->write(*more, bytes(std::to_string(i))));
    }
    EXPECT_EQ(seen(*file).records.size(), 3 * StateFile::kSlotsAtOnce - 1);
}
