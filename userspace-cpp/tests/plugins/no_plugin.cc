// SPDX-License-Identifier: GPL-2.0-or-later
//
// A library that is no plug-in.

extern "C" int nothing_of_openvpn() {
    return 0;
}
