// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe MS - how fast this processor is now: thousands of turns of a loop in a millisecond, over MS milliseconds.
 *
 * The loop keeps the units busy that the two threads of a core share, and touches no memory: half as fast means
 * that somebody has the other thread, who may be in another virtual machine and is not to be seen otherwise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	unsigned long a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, rounds = 0;
	double begin, ms = argc == 2 ? atof(argv[1]) : 0;

	if (ms <= 0) {
		fprintf(stderr, "usage: probe MS\n");
		return 2;
	}
	begin = now_ms();
	while (now_ms() - begin < ms) {
		for (unsigned int i = 0; i < 100000; i++) {
			a += i ^ b;
			b += a >> 3;
			c += i ^ d;
			d += c >> 5;
			e += f ^ i;
			f += e >> 7;
			g += h ^ i;
			h += g >> 9;
			/* not to be computed in another way */
			__asm__ volatile("" : "+r"(a), "+r"(c), "+r"(e), "+r"(g));
		}
		rounds++;
	}
	printf("%.0f\n", rounds * 100 / (now_ms() - begin));
	return 0;
}
