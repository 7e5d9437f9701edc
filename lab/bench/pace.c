// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pace - how fast this processor is, and what came through meanwhile
 *
 *   pace MS			thousands of turns of a loop in a millisecond, over MS milliseconds: the mean, and
 *				the most of a fifth of a millisecond
 *   pace NAMESPACE:DEVICE...	every 10 ms until SIGTERM the second figure; then a line for each time: when it
 *				was (microseconds since the Epoch), how fast, and how many bytes the devices have
 *				received and sent so far. The line before these says so, and comes at once.
 *
 * The loop keeps the units busy that the two threads of a core share, and touches no memory: half as fast means
 * that somebody has the other thread, who may be in another virtual machine and is not to be seen otherwise.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TURNS		100000	/* about 0.2 ms */
#define INTERVAL_NS	10000000
#define SAMPLES_MAX	1000000

struct device {
	int fd; /* the namespace's /proc/net/dev */
	char name[64];
};

struct sample {
	double us, speed;
	unsigned long long bytes;
};

static volatile sig_atomic_t over;

static void on_term(int sig)
{
	(void)sig;
	over = 1;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double ms_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void turn(void)
{
	unsigned long a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;

	for (unsigned int i = 0; i < TURNS; i++) {
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
}

static double speed(void)
{
	double begin = ms_of(CLOCK_MONOTONIC);

	turn();
	return TURNS / 1000.0 / (ms_of(CLOCK_MONOTONIC) - begin);
}

static void survey(double ms)
{
	double begin = ms_of(CLOCK_MONOTONIC), spent, now, most = 0;
	unsigned long turns = 0;

	do {
		now = speed();
		if (now > most)
			most = now;
		turns++;
		spent = ms_of(CLOCK_MONOTONIC) - begin;
	} while (spent < ms);
	printf("%.0f %.0f\n", (double)turns * (TURNS / 1000.0) / spent, most);
}

static void open_device(struct device *device, const char *arg)
{
	const char *colon = strchr(arg, ':');
	char path[128];
	int ns;

	if (!colon || strlen(colon) + 1 > sizeof(device->name)) {
		fprintf(stderr, "pace: not NAMESPACE:DEVICE: %s\n", arg);
		exit(2);
	}
	snprintf(device->name, sizeof(device->name), "%s:", colon + 1);
	snprintf(path, sizeof(path), "/run/netns/%.*s", (int)(colon - arg), arg);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die(path);
	close(ns);
	/* what is opened here stays of this namespace */
	device->fd = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
	if (device->fd < 0)
		die("/proc/thread-self/net/dev");
}

static unsigned long long bytes_of(const struct device *device)
{
	unsigned long long received = 0, sent = 0;
	char text[8192], *line;
	ssize_t len;

	len = pread(device->fd, text, sizeof(text) - 1, 0);
	if (len < 0)
		die("/proc/net/dev");
	text[len] = 0;
	line = strstr(text, device->name);
	if (!line || sscanf(line + strlen(device->name), "%llu %*u %*u %*u %*u %*u %*u %*u %llu", &received, &sent) != 2) {
		fprintf(stderr, "pace: there is no %s\n", device->name);
		exit(1);
	}
	return received + sent;
}

static void sample(int argc, char **argv)
{
	const struct timespec interval = { .tv_nsec = INTERVAL_NS };
	const struct sched_param first = { .sched_priority = 1 };
	const struct sigaction action = { .sa_handler = on_term };
	struct device *devices = calloc((size_t)argc, sizeof(*devices));
	struct sample *samples = calloc(SAMPLES_MAX, sizeof(*samples));
	size_t count = 0;

	if (!devices || !samples)
		die("calloc");
	for (int i = 0; i < argc; i++)
		open_device(&devices[i], argv[i]);
	if (sigaction(SIGTERM, &action, NULL) || sched_setscheduler(0, SCHED_FIFO, &first))
		die("pace");

	/* who waits for the signal to be in place sees it */
	printf("us speed bytes\n");
	fflush(stdout);
	while (!over && count < SAMPLES_MAX) {
		struct sample *s = &samples[count++];

		s->speed = speed();
		s->us = ms_of(CLOCK_REALTIME) * 1e3;
		for (int i = 0; i < argc; i++)
			s->bytes += bytes_of(&devices[i]);
		nanosleep(&interval, NULL);
	}
	for (size_t i = 0; i < count; i++)
		printf("%.0f %.0f %llu\n", samples[i].us, samples[i].speed, samples[i].bytes);
}

int main(int argc, char **argv)
{
	double ms = argc == 2 ? atof(argv[1]) : 0;

	if (ms > 0) {
		survey(ms);
	} else if (argc > 1 && strchr(argv[1], ':')) {
		sample(argc - 1, argv + 1);
	} else {
		fprintf(stderr, "usage: pace MS | pace NAMESPACE:DEVICE...\n");
		return 2;
	}
	return 0;
}
