// Plays what it records, by one descriptor, and looks how far the recording gets ahead.
//
// Usage: duplex_client DEVICE SECONDS
//
// Prints, at the end of each second, the frames that GETIPTR has more than GETOPTR, as a JSON array.
// 48 kHz stereo S16, fragments of 512 frames; 4 of them are written ahead.
//
// Exit status: 0 done, 1 something failed, 2 usage.

#include <fcntl.h>
#include <linux/soundcard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { RATE_HZ = 48000, FRAME_BYTES = 4, FRAGMENT_SHIFT = 11, FRAGMENTS = 32, AHEAD_FRAGMENTS = 4 };

static void __attribute__((noreturn)) fail(const char *what)
{
	perror(what);
	exit(1);
}

static void set(int fd, unsigned long call, int value, const char *name)
{
	if (ioctl(fd, call, &value) != 0) fail(name);
}

static long ahead_frames(int fd)
{
	count_info in, out;
	if (ioctl(fd, SNDCTL_DSP_GETIPTR, &in) != 0) fail("GETIPTR");
	if (ioctl(fd, SNDCTL_DSP_GETOPTR, &out) != 0) fail("GETOPTR");
	return (in.bytes - out.bytes) / FRAME_BYTES;
}

int main(int count, char **words)
{
	static char fragment[1 << FRAGMENT_SHIFT];
	if (count != 3) return fprintf(stderr, "usage: duplex_client DEVICE SECONDS\n"), 2;
	int fd = open(words[1], O_RDWR);
	if (fd < 0) fail(words[1]);
	set(fd, SNDCTL_DSP_SETFRAGMENT, FRAGMENTS << 16 | FRAGMENT_SHIFT, "SETFRAGMENT");
	set(fd, SNDCTL_DSP_SETFMT, AFMT_S16_LE, "SETFMT");
	set(fd, SNDCTL_DSP_CHANNELS, 2, "CHANNELS");
	set(fd, SNDCTL_DSP_SPEED, RATE_HZ, "SPEED");
	for (int i = 0; i < AHEAD_FRAGMENTS; i++) {
		if (write(fd, fragment, sizeof fragment) != sizeof fragment) fail("write");
	}
	long recorded = 0, seconds = 0, wanted = atol(words[2]);
	while (seconds < wanted) {
		if (read(fd, fragment, sizeof fragment) != sizeof fragment) fail("read");
		if (write(fd, fragment, sizeof fragment) != sizeof fragment) fail("write");
		recorded += sizeof fragment / FRAME_BYTES;
		if (recorded / RATE_HZ == seconds) continue;
		printf("%s%ld", seconds++ ? "," : "[", ahead_frames(fd));
	}
	puts("]");
	return 0;
}
