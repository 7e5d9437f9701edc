// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blast - send UDP datagrams as fast as possible
 *
 *   blast ADDRESS PORT SIZE SEGMENTS COUNT	COUNT datagrams of SIZE bytes of payload, so many in one
 *						system call, which stay one packet (UDP_SEGMENT, udp(7))
 *						as far as the way allows; print ns for each
 *
 * It gives way to everything else (SCHED_IDLE): what is queued for other threads of the kernel is done
 * before it goes on, and belongs to the time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A number from 1 to MAX */
static size_t number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n < 1 || n > max) {
		fprintf(stderr, "blast: %s is not a number from 1 to %lu\n", text, max);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	const struct sched_param none = { 0 };
	struct sockaddr_in addr = { .sin_family = AF_INET };
	size_t size, segments, count, sent;
	static char data[65507];
	int fd, segment;
	double begin;

	if (argc != 6 || inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1) {
		fprintf(stderr, "blast ADDRESS PORT SIZE SEGMENTS COUNT\n");
		return 2;
	}
	addr.sin_port = htons((unsigned short)number(argv[2], 65535));
	size = number(argv[3], sizeof(data));
	segments = number(argv[4], sizeof(data) / size);
	count = number(argv[5], 1000000000);

	fd = socket(AF_INET, SOCK_DGRAM, 0);
	segment = (int)size;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) ||
	    (segments > 1 && setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment))))
		die("socket");
	if (sched_setscheduler(0, SCHED_IDLE, &none))
		die("sched_setscheduler");

	begin = now_ns();
	for (sent = 0; sent < count; sent += segments)
		if (send(fd, data, size * segments, 0) < 0)
			die("send");
	printf("%.1f\n", (now_ns() - begin) / (double)sent);
	return 0;
}
