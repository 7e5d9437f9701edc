// SPDX-License-Identifier: GPL-2.0
/* Transmit. Nothing is sent yet. */
#include "nf_ovpn.h"

void nf_ovpn_tx_ping(struct nf_ovpn_peer *peer)
{
}
