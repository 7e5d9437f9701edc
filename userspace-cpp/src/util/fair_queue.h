// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who has the next turn where there are a few places for many: each source in turn, and no source
// has all places. So whoever asks a thousand times waits for itself, and one who asks once waits
// for what is being done at that moment at the most.
//
//     waiting   A A A A A A A A   B   C C       places  [A] [A] [B] [C]
//                                               next    C, then A
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

namespace nfovpn {

template <typename T>
class FairQueue {
public:
    using Source = std::uint64_t;

    /// So many places in all, and for one source.
    FairQueue(std::size_t places, std::size_t of_source) : places_(places), of_source_(of_source) {}

    void push(Source source, T item) {
        auto& all = waiting_[source];
        if (all.empty())
            turns_.push_back(source);
        all.push_back(std::move(item));
        size_++;
    }

    /// One whose turn it is now, which has a place until done(); nothing if all must wait.
    std::optional<std::pair<Source, T>> next() {
        if (busy_ >= places_)
            return std::nullopt;
        for (std::size_t i = turns_.size(); i > 0; i--) {
            const auto source = turns_.front();
            turns_.pop_front();
            auto& mine = taken_[source];
            if (mine >= of_source_) {
                turns_.push_back(source);
                continue;
            }
            auto at = waiting_.find(source);
            auto item = std::move(at->second.front());
            at->second.pop_front();
            if (at->second.empty())
                waiting_.erase(at);
            else
                turns_.push_back(source);
            mine++;
            busy_++;
            size_--;
            return std::pair(source, std::move(item));
        }
        return std::nullopt;
    }

    /// What had a place needs it no more.
    void done(Source source) {
        auto at = taken_.find(source);
        if (at == taken_.end())
            return;
        busy_--;
        if (--at->second == 0)
            taken_.erase(at);
    }

    /// Takes out all that wait and that @p is true of.
    template <typename Predicate>
    void erase_if(Predicate is) {
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            size_ -= std::erase_if(at->second, is);
            if (at->second.empty()) {
                std::erase(turns_, at->first);
                at = waiting_.erase(at);
            } else {
                ++at;
            }
        }
    }

    /// How many wait.
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    std::size_t places_;
    std::size_t of_source_;
    std::size_t busy_ = 0;
    std::size_t size_ = 0;
    std::map<Source, std::deque<T>> waiting_;
    std::map<Source, std::size_t> taken_;
    std::deque<Source> turns_; ///< each source that waits, once
};

} // namespace nfovpn
