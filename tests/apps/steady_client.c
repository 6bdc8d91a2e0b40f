// An OSS client for servers that fail: it plays steadily, while a second process asks its own
// descriptor things all the time.
//
// Usage: steady_client DEVICE FILE MS [LOG]
//
//   FILE  raw sound, S16 little-endian in stereo at 48 kHz, played from its start, again and again
//   MS    how long
//   LOG   gets a line a write: time since the epoch in ms, frames written so far, GETODELAY in frames
//
// Standard output is one line of JSON: how many calls the second process made, how many of them took
// more than 50 ms, the longest of them, and the longest write. Exit status 1: a call failed.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/soundcard.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 4, RATE_HZ = 48000, FRAGMENTS = 4, FRAGMENT_SHIFT = 12, ASK_US = 5000, SLOW_MS = 50 };

static struct results {
	long calls, slow_calls;
	double worst_call_ms, worst_write_ms;
} *results; // of both processes

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static double ms_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static int open_device(const char *device)
{
	int fd = open(device, O_WRONLY);
	int fragment = FRAGMENTS << 16 | FRAGMENT_SHIFT;
	int format = AFMT_S16_LE, channels = 2, rate = RATE_HZ;
	if (fd < 0) fail(device);
	if (ioctl(fd, SNDCTL_DSP_SETFRAGMENT, &fragment) < 0 ||
	    ioctl(fd, SNDCTL_DSP_SETFMT, &format) < 0 ||
	    ioctl(fd, SNDCTL_DSP_CHANNELS, &channels) < 0 ||
	    ioctl(fd, SNDCTL_DSP_SPEED, &rate) < 0)
		fail("parameters");
	return fd;
}

static void ask(const char *device)
{
	int fd = open_device(device);
	for (;;) {
		audio_buf_info space;
		double start = ms_of(CLOCK_MONOTONIC), took;
		if (ioctl(fd, SNDCTL_DSP_GETOSPACE, &space) < 0) fail("GETOSPACE");
		took = ms_of(CLOCK_MONOTONIC) - start;
		if (took > results->worst_call_ms) results->worst_call_ms = took;
		if (took > SLOW_MS) results->slow_calls++;
		results->calls++;
		usleep(ASK_US);
	}
}

static void play(int fd, const unsigned char *sound, long length, double until, FILE *log)
{
	long written = 0;
	while (ms_of(CLOCK_MONOTONIC) < until) {
		long at = written % length;
		long wanted = length - at < 1 << FRAGMENT_SHIFT ? length - at : 1 << FRAGMENT_SHIFT;
		double start = ms_of(CLOCK_MONOTONIC), took;
		int delay;
		long count = write(fd, sound + at, wanted);
		if (count != wanted) fail("write");
		took = ms_of(CLOCK_MONOTONIC) - start;
		if (took > results->worst_write_ms) results->worst_write_ms = took;
		written += count;
		if (ioctl(fd, SNDCTL_DSP_GETODELAY, &delay) < 0) fail("GETODELAY");
		if (log)
			fprintf(log, "%.3f %ld %d\n", ms_of(CLOCK_REALTIME), written / FRAME,
			        delay / FRAME);
	}
}

static unsigned char *load(const char *file, long *length)
{
	FILE *stream = fopen(file, "rb");
	unsigned char *bytes;
	if (!stream || fseek(stream, 0, SEEK_END) < 0) fail(file);
	*length = ftell(stream);
	rewind(stream);
	bytes = malloc(*length);
	if (!bytes || fread(bytes, 1, *length, stream) != (size_t)*length) fail(file);
	fclose(stream);
	return bytes;
}

int main(int argc, char **argv)
{
	long length;
	unsigned char *sound;
	FILE *log = NULL;
	pid_t asker;
	int fd, status;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: steady_client DEVICE FILE MS [LOG]\n");
		return 2;
	}
	sound = load(argv[2], &length);
	if (argc == 5 && !(log = fopen(argv[4], "w"))) fail(argv[4]);
	results = mmap(NULL, sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	if (results == MAP_FAILED) fail("mmap");
	fd = open_device(argv[1]); // first: a mixer numbers the streams of one name as they come
	asker = fork();
	if (asker < 0) fail("fork");
	if (asker == 0) {
		close(fd);
		ask(argv[1]);
	}
	play(fd, sound, length, ms_of(CLOCK_MONOTONIC) + atol(argv[3]), log);
	if (waitpid(asker, &status, WNOHANG) != 0) return 1; // it has said why
	kill(asker, SIGKILL);
	waitpid(asker, &status, 0);
	if (log) fclose(log);
	printf("{\"calls\":%ld,\"slow_calls\":%ld,\"worst_call_ms\":%.3f,"
	       "\"worst_write_ms\":%.3f}\n", results->calls, results->slow_calls,
	       results->worst_call_ms, results->worst_write_ms);
	return 0;
}
