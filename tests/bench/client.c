// Times one OSS call on two devices in turn, in one process, so that whatever else the machine does
// meets both alike.
//
// Usage: client CASE ROUNDS DEVICE_A DEVICE_B
//   CASE    getversion, getospace, write256, write4096, open (and close)
//   prints  the median nanoseconds of A and of B, and the quartiles of the rounds' ratios A : B

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/soundcard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_CALLS = 30, WARM_ROUNDS = 100 };

static char sound[4096];
static const char *kind;
static int write_bytes; // of a write case, else 0

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int opened(const char *device)
{
	int fd = open(device, O_WRONLY);
	if (fd < 0)
		die(device);
	return fd;
}

static void call(int fd, const char *device)
{
	int version;
	audio_buf_info space;
	int result = 0;
	if (!strcmp(kind, "getversion"))
		result = ioctl(fd, OSS_GETVERSION, &version);
	else if (!strcmp(kind, "getospace"))
		result = ioctl(fd, SNDCTL_DSP_GETOSPACE, &space);
	else if (write_bytes)
		result = write(fd, sound, write_bytes);
	else
		close(opened(device));
	if (result < write_bytes)
		die(kind);
}

static int ascending(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;
	return (difference > 0) - (difference < 0);
}

static double quantile(double *values, int count, double q)
{
	qsort(values, count, sizeof *values, ascending);
	return values[(int)((count - 1) * q + 0.5)];
}

/** The median time of a block's calls, each timed by itself. */
static double block(int fd, const char *device, int calls)
{
	double times[BLOCK_CALLS];
	for (int i = 0; i < calls; i++) {
		double start = now();
		call(fd, device);
		times[i] = now() - start;
	}
	if (write_bytes)
		ioctl(fd, SNDCTL_DSP_RESET, 0);
	return quantile(times, calls, 0.5);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return fprintf(stderr, "usage: client CASE ROUNDS DEVICE_A DEVICE_B\n"), 2;
	kind = argv[1];
	int rounds = atoi(argv[2]);
	int calls = BLOCK_CALLS;
	int warm_rounds = WARM_ROUNDS;
	if (!strncmp(kind, "write", 5))
		write_bytes = atoi(kind + 5);
	if (!strcmp(kind, "open")) {
		calls = 3;
		warm_rounds = 2;
	}
	int fds[2] = { -1, -1 };
	for (int i = 0; i < 2 && strcmp(kind, "open"); i++) {
		int format = AFMT_S16_LE, stereo = 1, rate = 48000;
		fds[i] = opened(argv[3 + i]);
		// The C server has no parameters to set.
		ioctl(fds[i], SNDCTL_DSP_SETFMT, &format);
		ioctl(fds[i], SNDCTL_DSP_STEREO, &stereo);
		ioctl(fds[i], SNDCTL_DSP_SPEED, &rate);
		audio_buf_info space;
		if (ioctl(fds[i], SNDCTL_DSP_GETOSPACE, &space) < 0)
			die("GETOSPACE");
		// A block's writes fit into either ring, so that none of them waits.
		if (write_bytes && calls > space.bytes / write_bytes)
			calls = space.bytes / write_bytes;
	}
	if (calls < 1)
		die("no room for one write");
	double *a = calloc(rounds, sizeof *a), *b = calloc(rounds, sizeof *b);
	double *ratio = calloc(rounds, sizeof *ratio);
	for (int round = -warm_rounds; round < rounds; round++) {
		double first = block(fds[0], argv[3], calls);
		double second = block(fds[1], argv[4], calls);
		if (round < 0)
			continue;
		a[round] = first;
		b[round] = second;
		ratio[round] = first / second;
	}
	printf("{\"a\":%.0f,\"b\":%.0f,\"ratio\":%.4f,\"low\":%.4f,\"high\":%.4f}\n",
	       quantile(a, rounds, 0.5), quantile(b, rounds, 0.5), quantile(ratio, rounds, 0.5),
	       quantile(ratio, rounds, 0.25), quantile(ratio, rounds, 0.75));
	return 0;
}
