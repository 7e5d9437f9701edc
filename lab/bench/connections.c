// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * connections - how many TCP connections a second?
 *
 *   connections serve PORT		accept connections, send a byte on each, close it
 *   connections ADDRESS PORT SECONDS	one connection after the other: connect, read the byte, end
 *					by RST, so that no address is in TIME_WAIT; print the rate
 *
 * Each has a port of its own and is a new flow for everything on the way.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void serve(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, c;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)addr, sizeof(*addr)) || listen(fd, 128))
		die("listen");
	while ((c = accept(fd, NULL, NULL)) >= 0) {
		if (write(c, "", 1) != 1)
			perror("write");
		close(c);
	}
	die("accept");
}

static void run(const struct sockaddr_in *addr, double seconds)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	const double begin = now(), end = begin + seconds;
	unsigned long n = 0;
	char byte;
	int fd;

	do {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
			die("connect");
		if (read(fd, &byte, 1) != 1)
			die("read");
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		n++;
	} while (now() < end);
	printf("%.1f\n", (double)n / (now() - begin));
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve")) {
		addr.sin_port = htons((unsigned short)atoi(argv[2]));
		serve(&addr);
	}
	if (argc != 4 || inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1) {
		fprintf(stderr, "connections { serve PORT | ADDRESS PORT SECONDS }\n");
		return 2;
	}
	addr.sin_port = htons((unsigned short)atoi(argv[2]));
	run(&addr, atof(argv[3]));
	return 0;
}
