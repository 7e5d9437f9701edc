// SPDX-License-Identifier: GPL-2.0-or-later
//
// Slots, halves and digests; see state_file.h.

#include "util/state_file.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <utility>

namespace nfovpn {

namespace {

// The last byte is the version of what is here and in the records.
constexpr std::array<std::uint8_t, 8> kMagic = {'n', 'f', '-', 'o', 'v', 'p', 'n', 1};

constexpr std::size_t kAtGeneration = 8;
constexpr std::size_t kAtLength = 16;
constexpr std::size_t kAtDigest = 24;
constexpr std::size_t kChunk = StateFile::kSlotsAtOnce * StateFile::kSlot;

#ifndef MFD_NOEXEC_SEAL
constexpr unsigned MFD_NOEXEC_SEAL = 8U; // NOLINT(readability-identifier-naming): of Linux 6.3
#endif

void put(std::span<std::uint8_t> at, std::uint64_t value) {
    for (auto byte = at.rbegin(); byte != at.rend(); ++byte, value >>= 8)
        *byte = static_cast<std::uint8_t>(value);
}

std::uint64_t get(ByteView at) {
    std::uint64_t out = 0;
    for (auto byte : at)
        out = out << 8 | byte;
    return out;
}

std::array<std::uint8_t, 32> digest_of(std::size_t place, ByteView half, std::size_t length) {
    std::array<std::uint8_t, 8> number{};
    put(number, place);
    std::array<std::uint8_t, 32> out{};
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> hash(EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free);
    const auto content = half.subspan(StateFile::kHeader, length);
    if (!hash || EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) != 1 ||
        EVP_DigestUpdate(hash.get(), number.data(), number.size()) != 1 ||
        EVP_DigestUpdate(hash.get(), half.data(), kAtDigest) != 1 ||
        EVP_DigestUpdate(hash.get(), content.data(), content.size()) != 1 ||
        EVP_DigestFinal_ex(hash.get(), out.data(), nullptr) != 1)
        throw std::runtime_error("no SHA-256");
    return out;
}

// What is written before it is there before what is written behind it, for whoever comes after this
// process.
void in_order() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

} // namespace

std::optional<StateFile> StateFile::create() {
    constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    Descriptor file(memfd_create("nf-ovpnd", kFlags | MFD_NOEXEC_SEAL));
    if (!file && errno == EINVAL)
        file.reset(memfd_create("nf-ovpnd", kFlags));
    // A mapping of what is cut off would be deadly.
    if (!file || fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        return std::nullopt;
    StateFile out(std::move(file));
    if (!out.map_more())
        return std::nullopt;
    return out;
}

std::optional<StateFile> StateFile::open(Descriptor file) {
    struct stat status {};
    const int seals = fcntl(file.get(), F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(file.get(), &status) != 0)
        return std::nullopt;
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0 || size % kChunk != 0 || size / kSlot > kMaxSlots)
        return std::nullopt;
    StateFile out(std::move(file));
    while (out.chunks_.size() * kChunk < size) {
        if (!out.map_more())
            return std::nullopt;
    }
    return out;
}

StateFile::StateFile(StateFile&& other) noexcept
    : file_(std::move(other.file_)), chunks_(std::exchange(other.chunks_, {})),
      slots_(std::move(other.slots_)), free_(std::move(other.free_)),
      generation_(other.generation_) {}

StateFile& StateFile::operator=(StateFile&& other) noexcept {
    // What was mapped here goes with the other one.
    std::swap(file_, other.file_);
    std::swap(chunks_, other.chunks_);
    std::swap(slots_, other.slots_);
    std::swap(free_, other.free_);
    std::swap(generation_, other.generation_);
    return *this;
}

StateFile::~StateFile() {
    for (auto* chunk : chunks_)
        munmap(chunk, kChunk);
}

// The next chunk, which may be there already.
bool StateFile::map_more() {
    const auto begin = chunks_.size() * kChunk;
    struct stat status {};
    if (slots_.size() + kSlotsAtOnce > kMaxSlots || fstat(file_.get(), &status) != 0)
        return false;
    if (static_cast<std::size_t>(status.st_size) < begin + kChunk &&
        ftruncate(file_.get(), static_cast<off_t>(begin + kChunk)) != 0)
        return false;
    auto* chunk = mmap(nullptr, kChunk, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(),
                       static_cast<off_t>(begin));
    if (chunk == MAP_FAILED)
        return false;
    // Not in a core file.
    madvise(chunk, kChunk, MADV_DONTDUMP);
    // Without the right to it the limit may be lower.
    static_cast<void>(mlock(chunk, kChunk));
    chunks_.push_back(static_cast<std::uint8_t*>(chunk));
    const auto first = slots_.size();
    slots_.resize(first + kSlotsAtOnce);
    for (auto slot = slots_.size(); slot > first; slot--)
        free_.push_back(slot - 1);
    return true;
}

std::span<std::uint8_t> StateFile::half(std::size_t slot, std::size_t which) const {
    auto* chunk = chunks_[slot / kSlotsAtOnce];
    return {chunk + (slot % kSlotsAtOnce) * kSlot + which * kHalf, kHalf};
}

// Nothing if it is not whole.
std::optional<std::uint64_t> StateFile::generation_in(std::size_t slot, std::size_t which) const {
    const auto here = half(slot, which);
    if (!std::equal(kMagic.begin(), kMagic.end(), here.begin()))
        return std::nullopt;
    const auto length = get(here.subspan(kAtLength, 8)) >> 32;
    const bool zero = (get(here.subspan(kAtLength, 8)) & 0xffffffff) == 0;
    if (length > kMaxContent || !zero)
        return std::nullopt;
    const auto digest = digest_of(2 * slot + which, here, length);
    if (CRYPTO_memcmp(digest.data(), here.subspan(kAtDigest).data(), digest.size()) != 0)
        return std::nullopt;
    return get(here.subspan(kAtGeneration, 8));
}

StateFile::Contents StateFile::read() {
    Contents out;
    free_.clear();
    for (std::size_t slot = 0; slot < slots_.size(); slot++) {
        auto& own = slots_[slot];
        const std::optional<std::uint64_t> generations[2] = {generation_in(slot, 0),
                                                             generation_in(slot, 1)};
        own = {};
        // An empty optional is less than any number.
        own.half = generations[1] > generations[0] ? 1 : 0;
        const auto& newest = generations[own.half];
        bool is_empty = true;
        for (const std::size_t which : {0U, 1U}) {
            const auto here = half(slot, which);
            if (newest && which == own.half)
                continue;
            if (std::all_of(here.begin(), here.end(), [](std::uint8_t byte) { return byte == 0; }))
                continue;
            is_empty = false;
            OPENSSL_cleanse(here.data(), here.size());
        }
        if (!newest) {
            out.damaged += is_empty ? 0 : 1;
            continue;
        }
        own.taken = true;
        const auto here = half(slot, own.half);
        const auto length = static_cast<std::size_t>(get(here.subspan(kAtLength, 8)) >> 32);
        own.used[own.half] = kHeader + length;
        generation_ = std::max(generation_, *newest);
        out.records.push_back({slot, SecretBytes(ByteView(here.subspan(kHeader, length)))});
    }
    for (auto slot = slots_.size(); slot > 0; slot--) {
        if (!slots_[slot - 1].taken)
            free_.push_back(slot - 1);
    }
    return out;
}

std::optional<std::size_t> StateFile::take_slot() {
    if (free_.empty() && !map_more())
        return std::nullopt;
    const auto slot = free_.back();
    free_.pop_back();
    slots_[slot] = {};
    slots_[slot].taken = true;
    return slot;
}

void StateFile::reserve(std::size_t slot) {
    const auto found = std::find(free_.begin(), free_.end(), slot);
    if (found == free_.end())
        return;
    free_.erase(found);
    slots_[slot] = {};
    slots_[slot].taken = true;
}

bool StateFile::write(std::size_t slot, ByteView content) {
    auto& own = slots_[slot];
    const auto old = own.half;
    if (content.size() > kMaxContent) {
        wipe(slot, old);
        own.used[old] = 0;
        return false;
    }
    own.half = 1 - old;
    own.used[own.half] = kHeader + content.size();
    const auto here = half(slot, own.half);
    std::copy(content.begin(), content.end(), here.begin() + kHeader);
    put(here.subspan(kAtGeneration, 8), ++generation_);
    put(here.subspan(kAtLength, 8), std::uint64_t{content.size()} << 32);
    std::copy(kMagic.begin(), kMagic.end(), here.begin());
    const auto digest = digest_of(2 * slot + own.half, here, content.size());
    in_order();
    std::copy(digest.begin(), digest.end(), here.begin() + kAtDigest);
    in_order();
    wipe(slot, old);
    own.used[old] = 0;
    return true;
}

void StateFile::wipe(std::size_t slot, std::size_t which) const {
    const auto used = slots_[slot].used[which];
    // What makes it a record goes first.
    OPENSSL_cleanse(half(slot, which).data(), std::min(used, kHeader));
    in_order();
    OPENSSL_cleanse(half(slot, which).data(), used);
}

void StateFile::erase(std::size_t slot) {
    auto& own = slots_[slot];
    if (!own.taken)
        return;
    for (const std::size_t which : {0U, 1U})
        wipe(slot, which);
    own = {};
    free_.push_back(slot);
}

void StateFile::clear() {
    for (std::size_t slot = 0; slot < slots_.size(); slot++)
        erase(slot);
}

} // namespace nfovpn
