// What the OSS clients of the tests have in common: the sound, the device's parameters, and checks
// that end the program with a line.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/soundcard.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATTERN(i) ((unsigned char) ((i) ^ (i) >> 8 ^ (i) >> 16)) // ossp.ts and record_test.ts have it too

enum {
	RATE_HZ = 16000,
	FRAGMENT_SHIFT = 10,
	FRAGMENT = 1 << FRAGMENT_SHIFT, // 64 ms
	FRAGMENTS = 8,
	BUFFER = FRAGMENTS * FRAGMENT, // 512 ms
};

static const char *device;

static void fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(1);
}

#define EXPECT(condition, ...) ((condition) ? (void) 0 : fail(#condition ": " __VA_ARGS__))

static double now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

/** How long so many bytes sound. */
static double sound_ms(long bytes)
{
	return bytes * 1000.0 / RATE_HZ;
}

static int call(int fd, unsigned long request, int value)
{
	EXPECT(ioctl(fd, request, &value) == 0, "request %lx, errno %d", request, errno);
	return value;
}

static pid_t fork_or_fail(void)
{
	fflush(stdout);
	pid_t pid = fork();
	EXPECT(pid >= 0, "errno %d", errno);
	return pid;
}
