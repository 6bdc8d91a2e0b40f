// An OSS client for the tests of sound servers: plays a file of S16 stereo at 48 kHz in parts.
//
// Usage: parts_client DEVICE FILE
//
// Plays the start of the file and resets the device meanwhile; then plays all of it, a quarter of a
// second at a time, each with a SYNC, which must take as long, and silence after.
//
// Exit status: 0 done, 1 a call failed or was over too soon, 2 usage.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/soundcard.h>
#include <time.h>
#include <unistd.h>

enum {
	RATE_HZ = 48000,
	CHANNELS = 2,
	FRAME_BYTES = 4,
	PART_MS = 250,
	PART_BYTES = RATE_HZ * FRAME_BYTES / 1000 * PART_MS,
	EARLY_MS = 25, // by how much a SYNC may be over before its sound
	PAUSE_US = 150000,
	RESET_AFTER_US = 150000,
};

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "parts_client: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	exit(1);
}

static double now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void call(int fd, const char *name, unsigned long request, void *argument)
{
	if (ioctl(fd, request, argument) < 0) fail("%s: %s", name, strerror(errno));
}
#define CALL(fd, request, argument) call(fd, #request, request, argument)

static int open_device(const char *device)
{
	int fd = open(device, O_WRONLY);
	if (fd < 0) fail("%s: %s", device, strerror(errno));
	int format = AFMT_S16_LE, channels = CHANNELS, rate = RATE_HZ;
	CALL(fd, SNDCTL_DSP_SETFMT, &format);
	CALL(fd, SNDCTL_DSP_CHANNELS, &channels);
	CALL(fd, SNDCTL_DSP_SPEED, &rate);
	return fd;
}

/* Writes the next part of the file; returns how many bytes there were. */
static size_t play_part(int fd, FILE *file)
{
	static unsigned char part[PART_BYTES];
	size_t length = fread(part, 1, sizeof part, file);
	if (write(fd, part, length) != (ssize_t) length) fail("write: %s", strerror(errno));
	return length;
}

static void play_and_reset(int fd, FILE *file)
{
	play_part(fd, file);
	usleep(RESET_AFTER_US);
	CALL(fd, SNDCTL_DSP_RESET, NULL);
	rewind(file);
}

static void play_with_pauses(int fd, FILE *file)
{
	for (;;) {
		double start_ms = now_ms();
		if (play_part(fd, file) < PART_BYTES) break;
		CALL(fd, SNDCTL_DSP_SYNC, NULL);
		double passed_ms = now_ms() - start_ms;
		if (passed_ms < PART_MS - EARLY_MS) fail("SYNC is over after %.1f ms", passed_ms);
		usleep(PAUSE_US);
	}
}

int main(int count, char **words)
{
	if (count != 3) {
		fprintf(stderr, "usage: parts_client DEVICE FILE\n");
		return 2;
	}
	FILE *file = fopen(words[2], "r");
	if (!file) fail("%s: %s", words[2], strerror(errno));
	int fd = open_device(words[1]);
	play_and_reset(fd, file);
	play_with_pauses(fd, file);
	if (close(fd) < 0) fail("close: %s", strerror(errno));
	return 0;
}
