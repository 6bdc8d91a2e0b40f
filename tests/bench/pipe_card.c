// A sound card at the other end of a pipe, as PulseAudio's module-pipe-sink has one: takes 48 kHz
// stereo S16 out of it at that rate by the clock, a millisecond's worth at a time.
//
// Usage: pipe_card FIFO
//   says "ready" when it begins; then "click MS" for each frame that is not silent and comes after
//   1000 silent ones, with the time when it was due, in milliseconds since the epoch; "gap MS" when
//   the pipe is empty
//
// The pipe is made four pages short: what is in it counts as not heard yet, and with one page it
// would be refilled only when it is empty.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { RATE_HZ = 48000, FRAME_BYTES = 4, STEP_FRAMES = 48, SILENT_FRAMES = 1000 };
enum { PIPE_BYTES = 4 * 4096 };

static double now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void sleep_until(double ms)
{
	struct timespec time = { ms / 1e3, 0 };
	time.tv_nsec = (ms - time.tv_sec * 1e3) * 1e6;
	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL);
}

int main(int argc, char **argv)
{
	static int16_t frames[STEP_FRAMES * 2];
	static char rest[1 << 16];
	if (argc != 2) return fprintf(stderr, "usage: pipe_card FIFO\n"), 2;
	int fd = open(argv[1], O_RDONLY | O_NONBLOCK);
	if (fd < 0) return perror(argv[1]), 1;
	// A pipe with more in it cannot be shortened.
	do
		while (read(fd, rest, sizeof rest) > 0) continue;
	while (fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES) < 0 && errno == EBUSY);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	long silent = 0;
	for (double due = now_ms();; due += STEP_FRAMES * 1e3 / RATE_HZ) {
		sleep_until(due);
		ssize_t bytes = read(fd, frames, sizeof frames);
		if (bytes == 0) return 0;
		if (bytes < 0) printf("gap %.3f\n", due);
		for (long i = 0; i < bytes / FRAME_BYTES; i++) {
			if (frames[i * 2] == 0) {
				silent++;
				continue;
			}
			if (silent >= SILENT_FRAMES)
				printf("click %.3f\n", due + i * 1e3 / RATE_HZ);
			silent = 0;
		}
	}
}
