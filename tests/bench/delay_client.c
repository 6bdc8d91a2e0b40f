// Plays silence with clicks, and asks GETODELAY when each click has just been written.
//
// Usage: delay_client DEVICE CLICKS
//   prints an array with a pair for each click: when GETODELAY was asked, and when the click is to
//   be heard if that is true, in milliseconds since the epoch
//
// 48 kHz stereo S16 in 8 fragments of 2048 bytes. A click is one frame. It is written alone, at no
// particular time within a fragment, when there is room for it: nothing waits.

#include <fcntl.h>
#include <linux/soundcard.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { RATE_HZ = 48000, FRAME_BYTES = 4, BLOCK_FRAMES = 256, FRAGMENTS = 8, FRAGMENT_SHIFT = 11 };
enum { WARM_BLOCKS = 300, BLOCKS_BETWEEN = 30, MORE_BLOCKS = 10, LONGEST_PAUSE_US = 20000 };
enum { LOUDNESS = 20000 };

static double now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void __attribute__((noreturn)) fail(const char *what)
{
	perror(what);
	exit(1);
}

static void play(int fd, const int16_t *frames, size_t count)
{
	ssize_t bytes = count * FRAME_BYTES;
	if (write(fd, frames, bytes) != bytes) fail("write");
}

static void play_silence(int fd, int blocks)
{
	static const int16_t silence[BLOCK_FRAMES * 2];
	while (blocks-- > 0) play(fd, silence, BLOCK_FRAMES);
}

// Prints the click's pair.
static void click(int fd)
{
	static const int16_t loud[2] = { LOUDNESS, LOUDNESS };
	int delay;
	usleep(rand() % LONGEST_PAUSE_US);
	play(fd, loud, 1);
	double before = now_ms();
	if (ioctl(fd, SNDCTL_DSP_GETODELAY, &delay) < 0) fail("GETODELAY");
	double asked = (before + now_ms()) / 2;
	double heard = asked + (delay - FRAME_BYTES) * 1e3 / FRAME_BYTES / RATE_HZ;
	printf("[%.3f,%.3f]", asked, heard);
}

int main(int argc, char **argv)
{
	if (argc != 3) return fprintf(stderr, "usage: delay_client DEVICE CLICKS\n"), 2;
	int fragments = FRAGMENTS << 16 | FRAGMENT_SHIFT, format = AFMT_S16_LE, stereo = 1;
	int rate = RATE_HZ, clicks = atoi(argv[2]), fd = open(argv[1], O_WRONLY);
	if (fd < 0 || ioctl(fd, SNDCTL_DSP_SETFRAGMENT, &fragments) < 0 ||
	    ioctl(fd, SNDCTL_DSP_SETFMT, &format) < 0 ||
	    ioctl(fd, SNDCTL_DSP_STEREO, &stereo) < 0 || ioctl(fd, SNDCTL_DSP_SPEED, &rate) < 0)
		fail(argv[1]);
	play_silence(fd, WARM_BLOCKS);
	for (int i = 0; i < clicks; i++) {
		putchar(i ? ',' : '[');
		click(fd);
		play_silence(fd, BLOCKS_BETWEEN + rand() % MORE_BLOCKS);
	}
	puts("]");
	ioctl(fd, SNDCTL_DSP_SYNC, 0);
	close(fd);
	return 0;
}
