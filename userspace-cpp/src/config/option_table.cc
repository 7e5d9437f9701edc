// SPDX-License-Identifier: GPL-2.0-or-later
//
// The table, see option_table.h. tests/data/openvpn-options.txt says which names must be in it.

#include "config/option_table.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nfovpn::config {

namespace {

constexpr auto S = Treatment::Supported;
constexpr auto I = Treatment::Ignored;
constexpr auto R = Treatment::Refused;
constexpr auto kServer = Roles::Server;
constexpr auto kClient = Roles::Client;
constexpr std::size_t kAny = 16; // the most words of a line

constexpr const char* kServerOnly = "an option of clients";
constexpr const char* kClientsNone = "a client has no clients";
constexpr const char* kLookedUp = "names are looked up at every try";
constexpr const char* kFromServer = "the server gives it";
constexpr const char* kProxyTriedAgain = "a proxy is tried again like a server";
constexpr const char* kPushIt = "to give it to clients, push it";
constexpr const char* kNoScripts = "this program is not run";
constexpr const char* kKernelDoes = "the kernel's data path has no such setting";
constexpr const char* kOfOneClient = "belongs into a file of client-config-dir";
constexpr const char* kNoVlan = "VLANs of a TAP device are not told apart";
constexpr const char* kNoPkcs11 = "keys on PKCS#11 tokens are not supported";
constexpr const char* kKeyFile = "use cert and key with files";
constexpr const char* kWindows = "a setting of Windows";
constexpr const char* kCommand = "a command of openvpn and not a setting";
constexpr const char* kRunIt = "run openvpn with it";
constexpr const char* kInternal = "set by negotiation, not by hand";
constexpr const char* kRemoved = "OpenVPN has removed it";
constexpr const char* kNotCompared = "options are not compared";
constexpr const char* kFewPackets = "few data packets pass through the socket";
constexpr const char* kWornOut = "the kernel says when a key is worn out";
constexpr const char* kNoNames = "names are not looked up";
constexpr const char* kRandom = "random numbers are OpenSSL's";
constexpr const char* kUnit = "use the service manager's own setting";

constexpr Option kOptions[] = {
    // the transport
    {"local", S, 1, 3, "one only; a name is looked up when the file is read", "", kServer},
    {"local", S, 1, 1, "a name is looked up when the file is read", "", kClient},
    {"port", S, 1, 1, "", ""},
    {"lport", S, 1, 1, "", ""},
    {"proto", S, 1, 1, "udp, udp4, udp6, and tcp-server likewise", "", kServer},
    {"proto", S, 1, 1, "udp, udp4, udp6, and tcp-client likewise", "", kClient},
    {"proto-force", S, 1, 1, "as proto", "", kServer},
    {"proto-force", R, 1, 1, "remotes have their protocols", "remove the other remotes", kClient},
    {"multihome", S, 0, 1, "answers always leave from where the question arrived", ""},
    {"bind", S, 0, 1, "", ""},
    {"float", S, 0, 0, "clients may always change their address", "", kServer},
    {"float", S, 0, 0, "the server may always change its address", "", kClient},
    {"max-packet-size", S, 1, 1, "", ""},
    {"bind-dev", S, 1, 1, "", ""},
    {"mark", S, 1, 1, "", ""},
    {"passtos", S, 0, 0, "", ""},
    {"port-share", R, 2, 3, "not supported", "", kServer},
    {"tcp-queue-limit", S, 1, 1, "", ""},
    {"tcp-nodelay", I, 0, 0, "it is always so", ""},
    {"socket-flags", I, 0, kAny, "connections always have TCP_NODELAY", ""},
    {"sndbuf", I, 1, 1, kFewPackets, ""},
    {"rcvbuf", I, 1, 1, kFewPackets, ""},
    {"fast-io", I, 0, 0, "packets are taken as many as there are", ""},
    {"mtu-disc", I, 1, 1, kKernelDoes, ""},
    {"preresolve", I, 0, 0, kNoNames, "", kServer},
    {"preresolve", I, 0, 0, kLookedUp, "", kClient},
    {"resolv-retry", I, 1, 1, kNoNames, "", kServer},
    {"resolv-retry", S, 1, 1, "", "", kClient},
    {"persist-local-ip", I, 0, 0, "addresses are read once", "", kServer},
    {"persist-local-ip", I, 0, 0, kLookedUp, "", kClient},
    {"persist-remote-ip", I, 0, 0, "addresses are read once", "", kServer},
    {"persist-remote-ip", I, 0, 0, kLookedUp, "", kClient},

    // the device and its network
    {"dev", S, 1, 1, "without it, tun", ""},
    {"dev-type", S, 1, 1, "", ""},
    {"tun-mtu", S, 1, 1, "", ""},
    {"topology", S, 1, 1, "", "", kServer},
    {"topology", S, 1, 1, "what the server pushes counts", "", kClient},
    {"ifconfig", S, 2, 2, "", "", kServer},
    {"ifconfig", S, 2, 2, "what the server pushes counts", "", kClient},
    {"route", S, 1, 4, "by the device, without a gateway", "", kServer},
    {"route", S, 1, 4, "through the tunnel, or by net_gateway", "", kClient},
    {"route-ipv6", S, 1, 3, "by the device, without a gateway", "", kServer},
    {"route-ipv6", S, 1, 3, "through the tunnel, or by net_gateway", "", kClient},
    {"route-metric", S, 1, 1, "", ""},
    {"nf-fastpath", S, 1, 2,
     "off, accepted (the default), marked VALUE[/MASK] (only flows with that conntrack mark) or "
     "eager: "
     "when the kernel may carry a flow past the rules",
     ""},
    {"disable-dco", S, 0, 0, "data packets go by the daemon's own data path", ""},
    {"tun-ipv6", I, 0, 0, "tun devices always have IPv6", ""},
    {"persist-tun", I, 0, 0, "the device lives as long as the daemon", "", kServer},
    {"persist-tun", S, 0, 0, "addresses and routes stay from one session to the next", "", kClient},
    {"txqueuelen", I, 1, 1, "few data packets queue at the device", ""},
    {"bcast-buffers", I, 1, 1, kKernelDoes, ""},
    {"link-mtu", I, 1, 1, kKernelDoes, "use tun-mtu"},
    {"udp-mtu", I, 1, 1, kKernelDoes, "use tun-mtu"},
    {"tun-mtu-extra", I, 1, 1, "buffers have room for any packet", ""},
    {"tun-mtu-max", I, 1, 1, "clients are told this server's tun-mtu", ""},
    {"mtu-test", I, 0, 0, "paths are not measured", ""},
    {"mtu-dynamic", I, 0, 2, kRemoved, ""},
    {"route-delay", I, 0, 2, "routes are set as soon as the device is up", ""},
    {"route-gateway", I, 1, 1, "routes lead to the device", "", kServer},
    {"route-gateway", S, 1, 1, "an address, for programs; routes lead to the device", "", kClient},
    {"route-ipv6-gateway", I, 1, 1, "routes lead to the device", ""},
    {"max-routes", I, 1, 1, "there is no limit", ""},
    {"ifconfig-nowarn", I, 0, 0, kNotCompared, ""},
    {"iproute", I, 1, 1, "no command is run, the device is set up by netlink", ""},
    {"fragment", S, 1, 2, "", ""},
    {"ifconfig-ipv6", S, 1, 2, "with a single peer, or with ifconfig-ipv6-pool", "", kServer},
    {"ifconfig-ipv6", S, 1, 2, "what the server pushes counts", "", kClient},
    {"ifconfig-noexec", S, 0, 0, "", ""},
    {"route-noexec", S, 0, 0, "", ""},
    {"route-table", S, 1, 1, "also of routes that stand before it", ""},
    {"lladdr", R, 1, 1, "the device keeps the address that it has",
     "ip link set DEVICE address in up"},
    {"server-bridge", S, 0, 4, "GATEWAY NETMASK FIRST LAST", "", kServer},
    {"vlan-tagging", R, 0, 0, kNoVlan, "a server for each of them"},
    {"vlan-accept", R, 1, 1, kNoVlan, "a server for each of them"},
    {"vlan-pvid", R, 1, 1, kNoVlan, "a server for each of them"},
    {"dev-node", S, 1, 1, "", ""},
    {"mktun", R, 0, 0, kCommand, "use ip tuntap add"},
    {"rmtun", R, 0, 0, kCommand, "use ip tuntap del"},
    {"shaper", R, 1, 1, "not supported", "use tc"},

    // the server and its clients
    {"mode", S, 1, 1, "server or p2p", "", kServer},
    {"mode", I, 1, 1, kClientsNone, "", kClient},
    {"tls-server", S, 0, 0, "without server: for a single peer", "", kServer},
    {"server", S, 2, 3, "", "", kServer},
    {"server-ipv6", S, 1, 1, "", "", kServer},
    {"ifconfig-pool", S, 2, 3, "the third word has no effect", "", kServer},
    {"push", S, 1, 1, "what is negotiated is left out", "", kServer},
    {"push", I, 1, 1, kClientsNone, "", kClient},
    {"client-config-dir", S, 1, 1,
     "its files may have iroute, iroute-ipv6, push, push-remove, push-reset and disable", "",
     kServer},
    {"ccd-exclusive", S, 0, 0, "", "", kServer},
    {"max-clients", S, 1, 1, "", "", kServer},
    {"max-clients", I, 1, 1, kClientsNone, "", kClient},
    {"duplicate-cn", S, 0, 0, "", "", kServer},
    {"client-to-client", S, 0, 0,
     "packets between clients pass the kernel's FORWARD rules, which decide", "", kServer},
    {"connect-freq-initial", S, 2, 2, "", "", kServer},
    {"connect-freq", I, 2, 2, "first packets and half-open sessions have limits already", "",
     kServer},
    {"ifconfig-pool-persist", S, 1, 2, "", "", kServer},
    {"hash-size", I, 2, 2, "tables grow by themselves", "", kServer},
    {"max-routes-per-client", I, 1, 1, "a client has at most 1000 networks", "", kServer},
    {"stale-routes-check", I, 1, 2, "networks of a client live as long as its session", "",
     kServer},
    {"push-continuation", R, 1, 1, kInternal, ""},
    {"peer-id", R, 1, 1, kInternal, ""},
    {"protocol-flags", R, 1, kAny, kInternal, ""},
    {"key-derivation", R, 1, 1, kInternal, ""},
    {"iroute", R, 1, 2, kOfOneClient, ""},
    {"iroute-ipv6", R, 1, 1, kOfOneClient, ""},
    {"push-reset", R, 0, 0, kOfOneClient, ""},
    {"disable", R, 0, 0, kOfOneClient, ""},
    {"push-remove", R, 1, 1, kOfOneClient, ""},
    {"ifconfig-push", R, 2, 3, kOfOneClient, ""},
    {"ifconfig-ipv6-push", R, 1, 2, kOfOneClient, ""},
    {"ifconfig-push-constraint", R, 2, 2, "not supported", "", kServer},
    {"ifconfig-ipv6-pool", S, 1, 1, "", "", kServer},
    {"ifconfig-pool-linear", R, 0, 0, kRemoved, "use topology subnet", kServer},
    {"inactive", S, 1, 2, "of each client; a client that is idle is disconnected", "", kServer},
    {"inactive", S, 1, 2, "", "", kClient},
    {"session-timeout", S, 1, 1, "of each client", "", kServer},
    {"session-timeout", S, 1, 1, "", "", kClient},

    // who is let in
    {"ca", S, 1, 1, "", ""},
    {"cert", S, 1, 1, "a file, no URI", ""},
    {"key", S, 1, 1, "a file, no URI", ""},
    {"dh", S, 1, 1, "", "", kServer},
    {"dh", I, 1, 1, "the server's parameters count", "", kClient},
    {"tls-version-min", S, 1, 2, "1.2 and 1.3; older ones are never offered or taken", ""},
    {"tls-version-max", S, 1, 1, "only 1.2 and 1.3", ""},
    {"tls-cipher", S, 1, 1, "", ""},
    {"tls-ciphersuites", S, 1, 1, "", ""},
    {"tls-groups", S, 1, 1, "", ""},
    {"tls-cert-profile", S, 1, 1, "", ""},
    {"tls-auth", S, 1, 2, "", ""},
    {"tls-crypt", S, 1, 2, "a second word has no effect", ""},
    {"key-direction", S, 1, 1, "", ""},
    {"tls-crypt-v2", S, 1, 2, "", "", kServer},
    {"tls-crypt-v2", S, 1, 1, "a client's key", "", kClient},
    {"tls-crypt-v2-max-age", S, 1, 1, "", "", kServer},
    {"remote-cert-tls", S, 1, 1, "", ""},
    {"verify-x509-name", S, 1, 2, "", ""},
    {"crl-verify", S, 1, 2, "", ""},
    {"verify-client-cert", S, 0, 1, "", "", kServer},
    {"persist-key", I, 0, 0, "keys are read once", ""},
    {"ecdh-curve", I, 1, 1, "the curve is negotiated", "use tls-groups"},
    {"prng", I, 1, 2, kRandom, ""},
    {"use-prediction-resistance", I, 0, 0, kRandom, ""},
    {"auth-nocache", I, 0, 0, "passwords are not kept", "", kServer},
    {"auth-nocache", S, 0, 0, "what was asked for is asked for again", "", kClient},
    {"tls-exit", I, 0, 0, "other clients are served", "", kServer},
    {"tls-exit", I, 0, 0, "the client tries again", "use connect-retry-max", kClient},
    {"capath", S, 1, 1, "", ""},
    {"extra-certs", S, 1, 1, "", ""},
    {"pkcs12", S, 1, 1, "", ""},
    {"askpass", S, 0, 1, "", ""},
    {"engine", I, 0, 1, "OpenSSL's engines are not used", kKeyFile},
    {"providers", S, 1, kAny, "", ""},
    {"pkcs11-cert-private", R, 0, kAny, kNoPkcs11, kKeyFile},
    {"pkcs11-id", R, 1, 1, kNoPkcs11, kKeyFile},
    {"pkcs11-id-management", R, 0, 0, kNoPkcs11, kKeyFile},
    {"pkcs11-pin-cache", R, 1, 1, kNoPkcs11, kKeyFile},
    {"pkcs11-private-mode", R, 1, kAny, kNoPkcs11, kKeyFile},
    {"pkcs11-protected-authentication", R, 0, kAny, kNoPkcs11, kKeyFile},
    {"pkcs11-providers", R, 1, kAny, kNoPkcs11, kKeyFile},
    {"secret", R, 1, 2, "static keys have no forward secrecy", "use ca, cert and key"},
    {"allow-deprecated-insecure-static-crypto", R, 0, 0, "static keys have no forward secrecy",
     "use ca, cert and key"},
    {"peer-fingerprint", S, 1, 1, "a certificate that has expired is refused all the same", ""},
    {"verify-hash", S, 1, 2, "", "use peer-fingerprint"},
    {"remote-cert-ku", S, 0, kAny, "", ""},
    {"remote-cert-eku", S, 1, 1, "", ""},
    {"ns-cert-type", S, 1, 1, "remote-cert-tls is what new files have", ""},
    {"client-cert-not-required", R, 0, 0, kRemoved, "use verify-client-cert none", kServer},
    {"x509-username-field", S, 1, 8, "", ""},
    {"username-as-common-name", S, 0, 0, "", "", kServer},
    {"compat-names", R, 0, 1, kRemoved, ""},
    {"no-name-remapping", R, 0, 0, kRemoved, ""},
    {"auth-user-pass-verify", S, 1, 2, "", "", kServer},
    {"auth-user-pass-optional", S, 0, 0, "", "", kServer},
    {"auth-gen-token", S, 0, 3, "tokens are verified by this server only", "", kServer},
    {"auth-gen-token-secret", S, 1, 1, "", "", kServer},
    {"override-username", R, 1, 1, "users are known by the names that they give", ""},
    {"replay-persist", I, 1, 1, "a first packet that is replayed fits no cookie", ""},
    {"force-tls-key-material-export", R, 0, 0, "not supported yet", ""},

    // the data channel
    {"data-ciphers", S, 1, 1, "", ""},
    {"ncp-ciphers", S, 1, 1, "the older name of data-ciphers", ""},
    {"data-ciphers-fallback", S, 1, 1, "", ""},
    {"auth", S, 1, 1,
     "SHA1, SHA224, SHA256, SHA384, SHA512, MD5 and none; with tls-auth, any digest of OpenSSL",
     ""},
    {"mssfix", S, 0, 2, "", ""},
    {"compress", S, 0, 1, "what asks for compression is migrate", "", kServer},
    {"compress", S, 0, 1, "nothing is compressed; what comes compressed is taken", "", kClient},
    {"comp-lzo", S, 0, 1, "what asks for compression is compress migrate", "", kServer},
    {"comp-lzo", S, 0, 1, "nothing is compressed; what comes compressed is taken", "", kClient},
    {"allow-compression", S, 1, 1, "nothing is compressed; asym: what comes compressed is taken",
     ""},
    {"cipher", S, 1, 1, "with a single peer, and with compat-mode; otherwise it is negotiated", ""},
    {"comp-noadapt", I, 0, 0, "nothing is compressed", ""},
    {"replay-window", I, 1, 2, "the kernel's window has a fixed size", ""},
    {"mute-replay-warnings", I, 0, 0, "replayed packets are counted, not logged", ""},
    {"disable-occ", I, 0, 0, kNotCompared, ""},
    {"opt-verify", I, 0, 0, kNotCompared, ""},
    {"ncp-disable", I, 0, 0, "ciphers are always negotiated", "use data-ciphers"},
    {"key-method", I, 1, 1, "it is always 2", ""},
    {"no-iv", R, 0, 0, kRemoved, "remove it"},
    {"no-replay", R, 0, 0, kRemoved, "remove it"},
    {"compat-mode", S, 1, 2, "topology, the fallback cipher and compression; nothing else is older",
     ""},
    {"keying-material-exporter", R, 2, 2, "there is nobody to give the exported keys to", ""},

    // time
    {"keepalive", S, 2, 2, "", ""},
    {"ping", S, 1, 1, "", ""},
    {"ping-restart", S, 1, 1, "", ""},
    {"reneg-sec", S, 1, 2, "the second number has no effect", ""},
    {"hand-window", S, 1, 1, "", ""},
    {"tran-window", S, 1, 1, "", ""},
    {"tls-timeout", S, 1, 1, "", ""},
    {"explicit-exit-notify", S, 0, 1, "", ""},
    {"ping-timer-rem", I, 0, 0, "only clients that are connected are timed", "", kServer},
    {"ping-timer-rem", I, 0, 0, "only what is connected is timed", "", kClient},
    {"reneg-bytes", I, 1, 1, kWornOut, "use reneg-sec"},
    {"reneg-pkts", I, 1, 1, kWornOut, "use reneg-sec"},
    {"ping-exit", S, 1, 1, "a client that is silent is disconnected, as by ping-restart", "",
     kServer},
    {"ping-exit", S, 1, 1, "", "", kClient},

    // operation
    {"verb", S, 1, 1, "0: errors; 1 to 3: what happens; 4 and more: in detail, never each packet",
     ""},
    {"log", S, 1, 1, "", ""},
    {"log-append", S, 1, 1, "", ""},
    {"syslog", S, 0, 1, "log and log-append take precedence", ""},
    {"mute", S, 1, 1, "errors are never muted", ""},
    {"suppress-timestamps", S, 0, 0, "", ""},
    {"machine-readable-output", S, 0, 0, "", ""},
    {"status", S, 1, 2, "", "", kServer},
    {"status", I, 1, 2, "a client writes no status file", "use SIGUSR2, which logs it", kClient},
    {"writepid", S, 1, 1, "", ""},
    {"cd", S, 1, 1, "", ""},
    {"user", S, 1, 1, "a name or a number; without group, the group is the user's own", ""},
    {"group", S, 1, 1, "a name or a number", ""},
    {"nice", S, 1, 1, "", ""},
    {"mlock", S, 0, 0, "", ""},
    {"nf-seccomp", S, 1, 1, "on (the default) or off: the filter for system calls", ""},
    {"nf-control", S, 1, 1, "the path of the unix socket for nf-ovpnctl", "", kServer},
    {"ignore-unknown-option", S, 1, kAny, "", ""},
    {"status-version", S, 1, 1, "1 (the default), 2 or 3", "", kServer},
    {"status-version", I, 1, 1, "a client writes no status file", "", kClient},
    {"errors-to-stderr", I, 0, 0, "errors go where all lines go", ""},
    {"remap-usr1", I, 1, 1, "SIGUSR1 does not restart the daemon", ""},
    {"echo", I, 0, kAny, "a message for user interfaces", "", kServer},
    {"echo", S, 0, kAny, "a message for the management interface", "", kClient},
    {"parameter", I, 0, kAny, "a message for user interfaces", ""},
    {"gremlin", I, 1, 1, "a test of OpenVPN itself", ""},
    {"tmp-dir", S, 1, 1, "", ""},
    {"daemon", S, 0, 1, "under a service manager the daemon stays in the foreground", ""},
    {"chroot", R, 1, 1, "not supported", kUnit},
    {"setcon", R, 1, 1, "not supported", kUnit},
    {"config", S, 1, 1, "files that include others, ten deep", ""},
    {"management", S, 2, 3, "without a password, a unix socket or a loopback address only", ""},
    {"management-client", R, 0, 0, "the management interface only listens", ""},
    {"management-client-auth", S, 0, 0, "without client-pending-auth", "", kServer},
    {"management-client-group", S, 1, 1, "", ""},
    {"management-client-pf", R, 0, 0, kRemoved, "filter by rules of nftables"},
    {"management-client-user", S, 1, 1, "", ""},
    {"management-external-cert", R, 1, 1, "not supported", "use cert"},
    {"management-external-key", R, 0, kAny, "not supported", "use key"},
    {"management-forget-disconnect", I, 0, 0, "no password is kept", "", kServer},
    {"management-forget-disconnect", S, 0, 0, "", "", kClient},
    {"management-hold", S, 0, 0, "", ""},
    {"management-log-cache", S, 1, 1, "", ""},
    {"management-query-passwords", I, 0, 0, "there is no password to ask for", "", kServer},
    {"management-query-passwords", S, 0, 0, "", "", kClient},
    {"management-query-proxy", R, 0, 0, "the management client is not asked for a proxy",
     "use http-proxy or socks-proxy", kClient},
    {"management-query-remote", S, 0, 0, "", "", kClient},
    {"management-signal", S, 0, 0, "", ""},
    {"management-up-down", I, 0, 0, "the device is there as long as the daemon", "", kServer},
    {"management-up-down", S, 0, 0, "", "", kClient},

    // scripts
    {"setenv", S, 1, 2, "", ""},
    {"setenv-safe", S, 1, 2, "", ""},
    {"script-security", S, 1, 1, "", ""},
    {"up", S, 1, 1, "once the device has its addresses; it must succeed", "", kServer},
    {"up", S, 1, 1, "once the tunnel has its addresses", "", kClient},
    {"up-restart", I, 0, 0, "up and down are run at every restart", "", kServer},
    {"up-restart", I, 0, 0, "up and down are run at every connection", "", kClient},
    {"route-up", S, 1, 1, "", ""},
    {"route-pre-down", R, 1, 1, "routes are not told of before they go", "use down"},
    {"down", S, 1, 1, "before the device goes, without the privileges that up has", "", kServer},
    {"down", S, 1, 1, "once the tunnel has lost its addresses", "", kClient},
    {"down-pre", I, 0, 0, "down is run before the device goes", "", kServer},
    {"down-pre", I, 0, 0, "down is run once the tunnel has lost its addresses", "", kClient},
    {"plugin", S, 1, kAny,
     "in a process of its own; auth_pending_file and CLIENT_CRRESPONSE are not used, and "
     "openvpn-plugin-auth-pam.so is done by the daemon itself",
     "", kServer},
    {"plugin", S, 1, kAny,
     "in a process of its own; one that wants TLS_VERIFY or TLS_FINAL is not taken", "", kClient},
    {"ipchange", R, 1, 1, kNoScripts, ""},
    {"client-connect", S, 1, 1, "", "", kServer},
    {"client-disconnect", S, 1, 1, "", "", kServer},
    {"client-crresponse", R, 1, 1, kNoScripts, "", kServer},
    {"learn-address", S, 1, 1, "", "", kServer},
    {"tls-verify", S, 1, 1, "once the handshake has ended, and without holding up others", "",
     kServer},
    {"tls-verify", R, 1, 2, kNoScripts, "", kClient},
    {"tls-crypt-v2-verify", R, 1, 1, kNoScripts, "use tls-crypt-v2-max-age", kServer},
    {"tls-export-cert", R, 1, 1, kNoScripts, ""},
    {"x509-track", I, 1, 1, "programs are told every field of the subject", ""},

    // the other side
    {"client", S, 0, 0, "", "", kClient},
    {"pull", S, 0, 0, "", "", kClient},
    {"tls-client", S, 0, 0, "without client or pull: for a point-to-point peer", "", kClient},
    {"remote", S, 1, 3, "the address of a single peer", "", kServer},
    {"rport", I, 1, 1, "a peer may come from any port", "", kServer},
    {"remote", S, 1, 3, "", "", kClient},
    {"nobind", S, 0, 0, "", "", kClient},
    {"rport", S, 1, 1, "", "", kClient},
    {"connection", S, 1, 1,
     "remote, proto, port, rport and connect-timeout are of one server, all others of all", "",
     kClient},
    {"remote-random", S, 0, 0, "", "", kClient},
    {"remote-random-hostname", S, 0, 0, "", "", kClient},
    {"ip-remote-hint", R, 1, 1, "not supported", "give remote an address", kClient},
    {"connect-retry", I, 1, 2, kServerOnly, "", kServer},
    {"connect-retry", S, 1, 2, "", "", kClient},
    {"connect-retry-max", I, 1, 1, kServerOnly, "", kServer},
    {"connect-retry-max", S, 1, 1, "", "", kClient},
    {"connect-timeout", S, 1, 1, "", "", kClient},
    {"server-poll-timeout", S, 1, 1, "the older name of connect-timeout", "", kClient},
    {"single-session", I, 0, 0, "a client has one session", ""},
    {"up-delay", I, 0, 0, "the device has no addresses before there is a tunnel", "", kClient},
    {"auth-user-pass", S, 0, 1,
     "what is missing is asked for: by the management interface, systemd-ask-password or the "
     "terminal",
     "", kClient},
    {"auth-retry", S, 1, 1, "", "", kClient},
    {"auth-token", R, 1, 1, kFromServer, "", kClient},
    {"auth-token-user", R, 1, 1, kFromServer, "", kClient},
    {"static-challenge", S, 2, 3, "", "", kClient},
    {"http-proxy", S, 2, 4,
     "with none, basic or auto; nobody is asked for name and password, and Digest is not known", "",
     kClient},
    {"http-proxy-option", S, 2, 3, "", "", kClient},
    {"http-proxy-override", R, 2, 3, "a proxy for all servers is not supported", "use http-proxy",
     kClient},
    {"http-proxy-retry", I, 0, 0, kProxyTriedAgain, "", kClient},
    {"http-proxy-timeout", I, 1, 1, "connect-timeout is also for the proxy", "", kClient},
    {"http-proxy-user-pass", S, 1, 1, "", "", kClient},
    {"socks-proxy", S, 1, 3, "", "", kClient},
    {"socks-proxy-retry", I, 0, 0, kProxyTriedAgain, "", kClient},
    {"allow-pull-fqdn", I, 0, 0, "names are not looked up in what is pushed", "", kClient},
    {"allow-recursive-routing", I, 0, 0, "the data path does not look for it", "", kClient},
    {"pull-filter", S, 2, 2, "", "", kClient},
    {"push-peer-info", S, 0, 0, "UV_ variables of setenv are sent; nothing else is added", "",
     kClient},
    {"route-nopull", S, 0, 0, "", "", kClient},
    {"client-nat", R, 4, 4, "not supported", "translate by rules of nftables", kClient},
    {"dns-updown", I, 1, 2, "name servers are told to the program of up", ""},
    {"redirect-gateway", R, 0, kAny, kServerOnly, kPushIt, kServer},
    {"redirect-gateway", S, 0, kAny, "always as with def1", "", kClient},
    {"redirect-private", R, 0, kAny, kServerOnly, kPushIt, kServer},
    {"redirect-private", S, 0, kAny, "", "", kClient},
    {"dhcp-option", S, 1, 3, "for this server's own programs", kPushIt, kServer},
    {"dhcp-option", S, 1, 3, "for programs, as foreign_option_N", "", kClient},
    {"dns", S, 2, kAny, "for this server's own programs", kPushIt, kServer},
    {"dns", S, 2, kAny, "for programs, as dns_server_N_…", "", kClient},
    {"block-ipv6", S, 0, 0, "data packets go by the daemon's own data path", ""},

    // Windows
    {"allow-nonadmin", I, 0, 1, kWindows, ""},
    {"block-outside-dns", I, 0, 0, kWindows, kPushIt, kServer},
    {"block-outside-dns", I, 0, 0, kWindows, "", kClient},
    {"dhcp-internal", I, 1, 1, kWindows, ""},
    {"dhcp-pre-release", I, 0, 0, kWindows, ""},
    {"dhcp-release", I, 0, 0, kWindows, ""},
    {"dhcp-renew", I, 0, 0, kWindows, ""},
    {"ip-win32", I, 1, 3, kWindows, ""},
    {"msg-channel", I, 1, 1, kWindows, ""},
    {"pause-exit", I, 0, 0, kWindows, ""},
    {"rdns-internal", I, 0, 0, kWindows, ""},
    {"register-dns", I, 0, 0, kWindows, kPushIt, kServer},
    {"register-dns", I, 0, 0, kWindows, "", kClient},
    {"route-method", I, 1, 1, kWindows, ""},
    {"show-net-up", I, 0, 0, kWindows, ""},
    {"tap-sleep", I, 1, 1, kWindows, ""},
    {"win-sys", I, 1, 1, kWindows, ""},
    {"windows-driver", I, 1, 1, kWindows, ""},
    {"cryptoapicert", R, 1, 1, kWindows, kKeyFile},
    {"service", R, 1, 2, kWindows, kUnit},

    // commands
    {"help", R, 0, 0, kCommand, "nf-ovpnd --help"},
    {"version", R, 0, 0, kCommand, "nf-ovpnd --version"},
    {"genkey", R, 0, 3, kCommand, kRunIt},
    {"test-crypto", R, 0, 0, kCommand, kRunIt},
    {"show-adapters", R, 0, 0, kCommand, kRunIt},
    {"show-ciphers", R, 0, 0, kCommand, kRunIt},
    {"show-curves", R, 0, 0, kCommand, kRunIt},
    {"show-digests", R, 0, 0, kCommand, kRunIt},
    {"show-engines", R, 0, 0, kCommand, kRunIt},
    {"show-gateway", R, 0, 1, kCommand, kRunIt},
    {"show-groups", R, 0, 0, kCommand, kRunIt},
    {"show-net", R, 0, 0, kCommand, kRunIt},
    {"show-pkcs11-ids", R, 0, 2, kCommand, kRunIt},
    {"show-tls", R, 0, 0, kCommand, kRunIt},
    {"show-valid-subnets", R, 0, 0, kCommand, kRunIt},
};

// How many letters must be added, removed or replaced to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); j++)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); i++) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); j++) {
            auto substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
        }
    }
    return row[b.size()];
}

std::string explanation(const Option& option) {
    std::string out;
    if (option.roles != Roles::Both)
        out = option.roles == Roles::Server ? "server" : "client";
    if (!out.empty() && *option.reason != '\0')
        out += ": ";
    out += option.reason;
    if (*option.hint != '\0')
        out += std::string(" (") + option.hint + ")";
    return out;
}

// Only what begins a line or is an escape has a meaning in mdoc; a lone "." does not occur.
std::string mdoc_text(const std::string& text) {
    std::string out;
    for (char c : text) {
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
    }
    return out;
}

std::string mdoc_list(Treatment treatment) {
    std::vector<std::pair<std::string, std::vector<const char*>>> explained;
    for (const auto& option : kOptions) {
        if (option.treatment != treatment)
            continue;
        auto why = explanation(option);
        auto same = [&why](const auto& group) { return group.first == why; };
        auto group = std::find_if(explained.begin(), explained.end(), same);
        if (group == explained.end()) {
            explained.push_back({why, {}});
            group = explained.end() - 1;
        }
        group->second.push_back(option.name);
    }
    std::string out = ".Bl -tag -width Ds\n";
    for (const auto& [why, names] : explained) {
        out += ".It";
        for (const char* name : names) {
            out += std::string(name == names.front() ? " Cm " : " , ");
            out += mdoc_text(name);
        }
        out += "\n" + mdoc_text(why.empty() ? "as in OpenVPN" : why) + "\n";
    }
    return out + ".El\n";
}

} // namespace

bool Option::is_removed() const {
    return reason == std::string_view(kRemoved);
}

std::span<const Option> options() {
    return kOptions;
}

const Option* find_option(std::string_view name, Role role) {
    using Index = std::unordered_map<std::string_view, const Option*>;
    static const auto index = [](Roles roles) {
        Index out;
        for (const auto& option : kOptions) {
            if (option.roles == Roles::Both || option.roles == roles)
                out.emplace(option.name, &option);
        }
        return out;
    };
    static const Index server = index(kServer);
    static const Index client = index(kClient);
    const auto& of_role = role == Role::Server ? server : client;
    const auto at = of_role.find(name);
    return at == of_role.end() ? nullptr : at->second;
}

std::string_view nearest_option(std::string_view name) {
    std::string_view nearest;
    std::size_t best = 3;
    for (const auto& option : kOptions) {
        auto away = distance(name.substr(0, 64), option.name);
        if (away < best) {
            best = away;
            nearest = option.name;
        }
    }
    return nearest;
}

const char* name_of(Treatment treatment) {
    switch (treatment) {
    case Treatment::Supported:
        return "supported";
    case Treatment::Ignored:
        return "ignored";
    case Treatment::Refused:
        return "refused";
    }
    return "";
}

std::string options_as_text() {
    std::string out;
    for (const auto& option : kOptions) {
        std::string line = option.name;
        line.resize(std::max<std::size_t>(line.size() + 1, 26), ' ');
        line += name_of(option.treatment);
        auto why = explanation(option);
        if (!why.empty()) {
            line.resize(std::max<std::size_t>(line.size() + 1, 37), ' ');
            line += why;
        }
        out += line + "\n";
    }
    return out;
}

std::string options_as_mdoc() {
    return ".Ss Supported options\n" + mdoc_list(Treatment::Supported) + ".Ss Ignored options\n" +
           mdoc_list(Treatment::Ignored) + ".Ss Refused options\n" + mdoc_list(Treatment::Refused);
}

} // namespace nfovpn::config
