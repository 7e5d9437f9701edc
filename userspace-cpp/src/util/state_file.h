// SPDX-License-Identifier: GPL-2.0-or-later
//
// Records in a memory file, for the next process, whatever becomes of this one. Each has a slot of
// two halves, of which one is in use:
//
//     half    magic and version 8 · generation 8 · length 4 · 0 4 · SHA-256 32 · content
//             SHA-256 over the number of the half and all of it but the digest
//
// A record is written into the other half of its slot, and when it is complete the old one is
// wiped. A process that dies in between leaves both, and the newer one that is whole counts. Who
// ends at any other time leaves one, or none.
//
// The file is memory: it has no name, is on no file system, and goes with its last descriptor. It
// cannot be made smaller, nor executed, and is in no core file. It is mapped as long as this
// process lives, and locked as far as the limit for that goes, so that it is not swapped. What is
// in it is as secret as what it is told.
#pragma once

#include "util/bytes.h"
#include "util/descriptor.h"
#include "util/secret.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace nfovpn {

/// See the head of this file.
class StateFile {
public:
    static constexpr std::size_t kHeader = 56;
    static constexpr std::size_t kHalf = 8192;
    static constexpr std::size_t kSlot = 2 * kHalf;
    static constexpr std::size_t kMaxContent = kHalf - kHeader;
    /// Slots are made so many at a time.
    static constexpr std::size_t kSlotsAtOnce = 64;
    static constexpr std::size_t kMaxSlots = std::size_t{1} << 16;

    /// A new one; nothing, with errno, if the system has none to give.
    static std::optional<StateFile> create();

    /// One that somebody else has left: nothing, if it is no such file, or of another size.
    static std::optional<StateFile> open(Descriptor file);

    ~StateFile();
    StateFile(StateFile&& other) noexcept;
    StateFile& operator=(StateFile&& other) noexcept;
    StateFile(const StateFile&) = delete;
    StateFile& operator=(const StateFile&) = delete;

    struct Record {
        std::size_t slot = 0;
        SecretBytes content;
    };
    struct Contents {
        std::vector<Record> records; ///< by their slots
        std::size_t damaged = 0;     ///< slots with something that is no record; these are wiped
    };
    /// What is in the file that was opened.
    Contents read();

    /// A slot that is free from now on no more; nothing if there is no room.
    std::optional<std::size_t> take_slot();
    /// That very one, of those that there are; nothing happens if it is taken.
    void reserve(std::size_t slot);
    /// Writes the record of a slot that was taken. False if it is too long; then there is none.
    bool write(std::size_t slot, ByteView content);
    /// Wipes the record, and gives the slot back.
    void erase(std::size_t slot);
    /// Wipes everything.
    void clear();

    [[nodiscard]] int fd() const { return file_.get(); }

private:
    explicit StateFile(Descriptor file) : file_(std::move(file)) {}

    bool map_more();
    [[nodiscard]] std::span<std::uint8_t> half(std::size_t slot, std::size_t which) const;
    [[nodiscard]] std::optional<std::uint64_t> generation_in(std::size_t slot,
                                                             std::size_t which) const;
    void wipe(std::size_t slot, std::size_t which) const;

    struct Slot {
        bool taken = false;
        std::size_t half = 0;         ///< that was written last
        std::size_t used[2] = {0, 0}; ///< bytes to be wiped
    };

    Descriptor file_;
    std::vector<std::uint8_t*> chunks_; ///< where so many slots are
    std::vector<Slot> slots_;
    std::vector<std::size_t> free_;
    std::uint64_t generation_ = 0;
};

} // namespace nfovpn
