# SPDX-License-Identifier: GPL-2.0-or-later
# The tables of docs/performance, from the figures there; see lab/bench/report.

def names: ["none", "nf_ovpn", "nf_ovpn+ovpn", "ovpn", "wireguard", "esp", "nf-ovpnd", "openvpn"];
def titles: {bulk: "TCP", defaults: "TCP, with the MTU that each system has by itself", packets: "UDP packets from pktgen", loss: "Loss of these packets", latency: "Round trip of a ping",
	gateway: "What the gateway alone takes for a datagram of full size",
	flows: "TCP connections, one after the other", peers: "By the number of peers", entries: "By the number of flows",
	cores: "Packets of one peer, from one processor and from more", crypto: "Cryptography alone, a packet of 1420 bytes", handshakes: "Handshakes", sessions: "Resident memory of the server, by its sessions", storm: "Clients all at once",
	refused: "Of these, not served", throughput: "TCP by the data path of the daemon",
	plain: "Traffic without a tunnel, by what nf_ovpn has to do beside it", memory: "Memory"};
def round2: . * 100 | round / 100;
def key: .variant + (if .direction == "" then "" else ", " + .direction end);
# numbers in names in their order
def order: [scan("[0-9]+|[^0-9]+") | (tonumber? // .)];

def table($records):
	($records | map(.system) | unique) as $there
	| [names[] | select(. as $n | $there | index($n))] as $systems
	| "| \($records[0].unit) | \($systems | join(" | ")) |",
	  "|---|\($systems | map("---:|") | join(""))",
	  ($records | group_by(key) | sort_by(.[0] | key | order)[] | . as $g
	   | "| \($g[0] | key) | " +
	     ([$systems[] as $s | first($g[] | select(.system == $s) | "\(.median) (\(.min)–\(.max))") // ""] | join(" | ")) + " |");

# What a TCP packet of full size takes, in ns: without a tunnel, cryptography alone at both ends, and with
# each system. It carries 1368 bytes, and without a tunnel 1448. The first two together are the floor.
def per_packet($r):
	[$r[] | select(.item == "bulk" and .system == "nf_ovpn" and .direction != "both")]
	| [.[] | . as $own | ($own.variant | split(", ")) as [$cipher, $streams]
	   | (first($r[] | select(.item == "bulk" and .system == "none" and .direction == $own.direction and
				  (.variant | endswith($streams))) | .median) // null) as $plain
	   | ([$r[] | select(.item == "crypto" and (.variant | ascii_downcase) == $cipher) | .median] | add) as $crypto
	   | select($plain != null and $crypto != null)
	   | def with($system): first($r[] | select(.item == "bulk" and .system == $system and .variant == $own.variant and
						    .direction == $own.direction) | 1368 * 8000 / .median) // null;
	     {key: ($own | key), plain: (1448 * 8000 / $plain), $crypto, own: with("nf_ovpn"), ovpn: with("ovpn"),
	      wireguard: with("wireguard")} | .floor = .plain + .crypto];

def per_packet_table($r):
	def ns: if . == null then "" else round end;
	def times: if . == null then "" else round2 end;
	"| ns | forwarding alone | cryptography alone | floor: both | nf_ovpn | ovpn | wireguard | ovpn / floor | wireguard / floor |",
	"|---|---:|---:|---:|---:|---:|---:|---:|---:|",
	(per_packet($r) | sort_by(.key | order)[]
	 | "| \(.key) | \(.plain | ns) | \(.crypto | ns) | \(.floor | ns) | \(.own | ns) | \(.ovpn | ns) | \(.wireguard | ns) | " +
	   "\(if .ovpn then .ovpn / .floor else null end | times) | " +
	   "\(if .wireguard then .wireguard / .floor else null end | times) |");

# The ratio of two systems' medians over all that match; the lowest of them is what counts.
def ratio($r; $a; $b; match):
	[$r[] | select(match)] | group_by(key)
	| [.[] | (first(.[] | select(.system == $a) | .median) // null) as $x
	       | (first(.[] | select(.system == $b) | .median) // null) as $y
	       | select($x != null and $y != null and $y > 0) | $x / $y];

# The cryptography that is in a figure of the gateway, by the benchmark of it alone
def outside($r): . as $g
	| first($r[] | select(.item == "crypto" and .direction == (if $g.direction == "up" then "open" else "seal" end) and
			      (.variant | ascii_downcase) == ($g.variant | split(",")[0])) | .median) // 0;

def goal($name; $ratios; $at_least):
	if $ratios | length == 0 then empty
	else "| \($name) | \($at_least) | \($ratios | min | round2) – \($ratios | max | round2) | " +
	     (if ($ratios | min) >= $at_least then "yes" else "no" end) + " |" end;
def at_most($name; $ratios; $limit):
	if $ratios | length == 0 then empty
	else "| \($name) | at most \($limit) | \($ratios | min | round2) – \($ratios | max | round2) | " +
	     (if ($ratios | max) <= $limit then "yes" else "no" end) + " |" end;

# Within one system: what has one name against what has another.
def within($r; $item; $from; $to):
	[$r[] | select(.item == $item)] as $i
	| [$i[] | select(.variant | startswith($from)) as $a
	   | $i[] | select(.system == $a.system and .direction == $a.direction and
			   .variant == $to + ($a.variant | ltrimstr($from))) | .median / $a.median];

.records as $r
| "<!-- made by lab/bench/report -->",
  "",
  "Machine: \(.machine); load before: \(.load_before). Kernel: \(.kernel).",
  "Made by `\(.command)`; medians (lowest–highest) of \([$r[].rounds] | unique | if length > 1 then "\(first) to \(last)" else first end) rounds." +
  (if .disturbed then " \(.disturbed) of \([$r[].rounds] | add) figures could only be had while something else slowed the processor down." else "" end),
  (if any($r[]; .unit == "instructions") then "The clock counts instructions: each is a nanosecond, so Mbit/s and packets/s are those of a machine that has 10^9 of them in a second." else empty end),
  "",
  "## What it must reach",
  "",
  "| ratio of medians, lowest – highest of all rows that it is of | at least | is | reached |",
  "|---|---:|---:|---|",
  goal("TCP, ChaCha20-Poly1305, nf_ovpn at both ends / ovpn"; ratio($r; "nf_ovpn"; "ovpn"; .item == "bulk" and .direction != "both" and (.variant | startswith("chacha20"))); 2),
  goal("the same with the MTU of each"; ratio($r; "nf_ovpn"; "ovpn"; .item == "defaults" and (.variant | startswith("chacha20"))); 2.5),
  goal("TCP, AES-256-GCM, nf_ovpn at both ends / ovpn"; ratio($r; "nf_ovpn"; "ovpn"; .item == "bulk" and .direction != "both" and (.variant | startswith("aes"))); 1.5),
  goal("TCP, ChaCha20-Poly1305, nf_ovpn / WireGuard"; ratio($r; "nf_ovpn"; "wireguard"; .item == "bulk" and .direction != "both" and (.variant | startswith("chacha20"))); 2),
  goal("TCP, share of the floor, cryptography alone and forwarding alone"; [per_packet($r)[] | .floor / .own]; 0.8),
  goal("TCP, nf_ovpn on the gateway and ovpn on the client / ovpn"; ratio($r; "nf_ovpn+ovpn"; "ovpn"; .item == "bulk" and .direction != "both"); 1.25),
  goal("packets of 64 bytes, nf_ovpn / ovpn"; ratio($r; "nf_ovpn"; "ovpn"; .item == "packets" and (.variant | endswith(" 64 bytes"))); 1.5),
  at_most("instructions of a TCP packet but for cryptography, at both ends and between them, nf_ovpn / ovpn"; [per_packet($r)[] | select(.ovpn and any($r[]; .unit == "instructions")) | (.own - .crypto) / (.ovpn - .crypto)]; 0.5),
  at_most("instructions of the gateway but for cryptography, nf_ovpn / ovpn"; [$r[] | select(.item == "gateway" and .unit == "instructions")]
	| map(.median -= outside($r)) | ratio(.; "nf_ovpn"; "ovpn"; true); 0.5),
  at_most("latency, nf_ovpn / ovpn"; ratio($r; "nf_ovpn"; "ovpn"; .item == "latency"); 1),
  goal("100 000 peers / 1 peer"; within($r; "peers"; "1 peers"; "100000 peers"); 0.95),
  goal("handshakes by the processor time of the server, nf-ovpnd / OpenVPN"; ratio($r; "nf-ovpnd"; "openvpn"; .item == "handshakes" and (.variant | endswith("processor time"))); 1.5),
  at_most("memory with 1000 idle sessions, nf-ovpnd / OpenVPN"; ratio($r; "nf-ovpnd"; "openvpn"; .item == "sessions" and .variant != "none"); 0.5),
  at_most("clients of a storm that nf-ovpnd has not served in time"; [$r[] | select(.item == "refused" and .system == "nf-ovpnd") | .max]; 0),
  goal("TCP by the data path of the daemon, nf-ovpnd / OpenVPN"; ratio($r; "nf-ovpnd"; "openvpn"; .item == "throughput"); 1),
  goal("plain traffic, an instance is active / nf_ovpn is absent"; within($r; "plain"; "absent"; "instance"); 0.99),
  (per_packet($r) | select(length > 0)
   | "", "## What a TCP packet of full size takes at both ends and between them", "",
     "No system can be faster than the floor: the last columns are the most that could be gained over the others.", "",
     per_packet_table($r)),
  (["crypto", "bulk", "defaults", "packets", "loss", "gateway", "latency", "flows", "peers", "entries", "cores", "plain", "memory",
    "handshakes", "sessions", "storm", "refused", "throughput"][] as $item
   | [$r[] | select(.item == $item)] | select(length > 0)
   | "", "## \(titles[$item])", "", table(.))
