// SPDX-License-Identifier: GPL-2.0-or-later
//
// Writes a manual page: the template on standard input, with the lists of options in the place of
// the line "@OPTIONS@" and the directory of plug-ins, to standard output. Exit status 1 if there is
// not exactly one such line.

#include "config/option_table.h"

#include <iostream>
#include <string>
#include <string_view>

int main() {
    int places = 0;
    for (std::string line; std::getline(std::cin, line);) {
        if (line != "@OPTIONS@") {
            const std::string_view directory = "@NF_OVPND_PLUGIN_DIR@";
            if (const auto at = line.find(directory); at != std::string::npos)
                line.replace(at, directory.size(), NF_OVPND_PLUGIN_DIR);
            std::cout << line << "\n";
            continue;
        }
        std::cout << nfovpn::config::options_as_mdoc();
        places++;
    }
    return places == 1 && std::cout.flush() ? 0 : 1;
}
