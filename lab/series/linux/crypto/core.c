// SPDX-License-Identifier: GPL-2.0
/* nf_ovpn: the module. Its parts come first. */
#include <linux/module.h>

MODULE_DESCRIPTION("OpenVPN data channel in Netfilter");
MODULE_LICENSE("GPL");
