// SPDX-License-Identifier: GPL-2.0-or-later
//
// A value or the reason why there is none. Peers send nonsense as a matter of course, so a packet
// that cannot be parsed is a result like any other and not an exception.
#pragma once

#include <utility>
#include <variant>

namespace nfovpn {

/// Holds either a T or an E. The two types must differ.
template <typename T, typename E>
class Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return state_.index() == 0; }

    /// The value; must not be asked for when there is an error.
    T& operator*() { return *std::get_if<0>(&state_); }
    const T& operator*() const { return *std::get_if<0>(&state_); }
    T* operator->() { return std::get_if<0>(&state_); }
    const T* operator->() const { return std::get_if<0>(&state_); }

    /// The error; must not be asked for when there is a value.
    const E& error() const { return *std::get_if<1>(&state_); }

private:
    std::variant<T, E> state_;
};

} // namespace nfovpn
