/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NF_OVPN_PACKET_H
#define _NF_OVPN_PACKET_H

#include <linux/skbuff.h>

/* A datagram, as OpenVPN's network protocol has it:
 *
 *   P_DATA_V2	opcode (5 bits), key ID (3 bits), peer ID (24 bits)
 *   P_DATA_V1	opcode, key ID
 *
 * and then, by cipher and format of the key,
 *
 *   AEAD	packet ID (4 bytes), tag (16), text
 *   epochs	epoch (2), packet ID (6), text, tag (16)
 *   others	see mac.c
 *
 * With AEAD ciphers all that comes before the text is authenticated, but for
 * the tag and the opcode of P_DATA_V1.
 */
#define NF_OVPN_P_DATA_V1	6
#define NF_OVPN_P_DATA_V2	9
#define NF_OVPN_OP_SHIFT	27
#define NF_OVPN_KEY_ID_SHIFT	24
#define NF_OVPN_KEY_ID_MASK	7
#define NF_OVPN_PEER_ID_MASK	0xffffff
#define NF_OVPN_OP_V1_SIZE	1
#define NF_OVPN_OP_V2_SIZE	4

u32 nf_ovpn_data_op(struct sk_buff *skb, u8 pf, unsigned int *udp_off);
__be16 nf_ovpn_inner_protocol(struct sk_buff *skb);

#endif /* _NF_OVPN_PACKET_H */
