// Sends clicks around a loop: what is written to the device comes back to be read. Measures how long a
// click is on its way.
//
// Usage: jack_loop DEVICE CLICKS FRAGMENT_SHIFT
//
//   prints "loop ready" when both directions run: now they can be connected
//   prints an array with a pair for each click: frames that were read from the click's write until it
//   came back, and the time that took in ms
//
// 48 kHz stereo S16. Each round reads a fragment and writes one, so both directions keep their
// distance: two fragments are written ahead.

#include <fcntl.h>
#include <linux/soundcard.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { RATE_HZ = 48000, FRAME_BYTES = 4, FRAGMENTS = 64, AHEAD_FRAGMENTS = 2, LOUDNESS = 20000 };
enum { FIRST_LIMIT_S = 20, CLICK_LIMIT_FRAMES = RATE_HZ, BETWEEN_FRAMES = RATE_HZ / 10 };

static int fd;
static ssize_t bytes;
static int16_t *from, *to;

static double now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void __attribute__((noreturn)) fail(const char *what)
{
	perror(what);
	exit(1);
}

/* A round; the first frame of a click in what was read, -1 if there is none. */
static long round_trip(int clicks)
{
	long frames = bytes / FRAME_BYTES, found = -1;
	if (read(fd, from, bytes) != bytes) fail("read");
	memset(to, 0, bytes);
	// At the end: the fragment before it in the ring has been written already.
	if (clicks) to[2 * (frames - 1)] = to[2 * (frames - 1) + 1] = LOUDNESS;
	if (write(fd, to, bytes) != bytes) fail("write");
	for (long i = 0; i < frames && found < 0; i++) {
		if (from[2 * i]) found = i;
	}
	return found;
}

int main(int argc, char **argv)
{
	if (argc != 4) return fprintf(stderr, "usage: jack_loop DEVICE CLICKS FRAGMENT_SHIFT\n"), 2;
	int fragments = FRAGMENTS << 16 | atoi(argv[3]), format = AFMT_S16_LE, stereo = 1;
	int rate = RATE_HZ, clicks = atoi(argv[2]);
	fd = open(argv[1], O_RDWR);
	if (fd < 0 || ioctl(fd, SNDCTL_DSP_SETFRAGMENT, &fragments) < 0 ||
	    ioctl(fd, SNDCTL_DSP_SETFMT, &format) < 0 ||
	    ioctl(fd, SNDCTL_DSP_STEREO, &stereo) < 0 || ioctl(fd, SNDCTL_DSP_SPEED, &rate) < 0)
		fail(argv[1]);
	bytes = 1 << atoi(argv[3]);
	from = malloc(bytes);
	to = calloc(1, bytes);
	for (int i = 0; i < AHEAD_FRAGMENTS; i++) {
		if (write(fd, to, bytes) != bytes) fail("write");
	}
	puts("loop ready");
	fflush(stdout);
	long frames = bytes / FRAME_BYTES;
	double started = now_ms();
	for (long sent = 0; sent <= clicks;) {
		double written = now_ms();
		long found = round_trip(1), read = 0;
		while (found < 0 && read < CLICK_LIMIT_FRAMES) {
			found = round_trip(0);
			if (found < 0) read += frames;
		}
		if (found < 0 && (sent || now_ms() - started > FIRST_LIMIT_S * 1e3)) {
			return fprintf(stderr, "jack_loop: a click has not come back\n"), 1;
		}
		double took = now_ms() - written;
		// The first one waits for its connection.
		if (found >= 0 && sent) printf("%c[%ld,%.3f]", sent > 1 ? ',' : '[', read + found + 1, took);
		if (found >= 0) sent++;
		for (read = 0; read < BETWEEN_FRAMES; read += frames) round_trip(0);
	}
	puts("]");
	ioctl(fd, SNDCTL_DSP_RESET, 0);
	close(fd);
	return 0;
}
