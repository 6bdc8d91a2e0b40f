// What a trace is to tell of: calls of every kind, by one process, by a child, by threads.
// Usage: trace_client ACT, where the acts are those in the table at the end.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/soundcard.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	RATE_HZ = 16000,
	FRAGMENT_SHIFT = 10,
	FRAGMENT = 1 << FRAGMENT_SHIFT, // 64 ms
	FRAGMENTS = 8,
	BUFFER = FRAGMENTS * FRAGMENT, // 512 ms
};

#define EXPECT(condition) ((condition) ? (void) 0 : fail(#condition))

static void fail(const char *what)
{
	printf("%s: errno %d\n", what, errno);
	exit(1);
}

static int call(int fd, unsigned long request, int value)
{
	EXPECT(ioctl(fd, request, &value) == 0);
	return value;
}

/** Each kind of call once, and such as no program should make. */
static void every_call(void)
{
	int fd = open("/dev/dsp", O_WRONLY | O_NONBLOCK);
	EXPECT(fd >= 0);
	call(fd, SNDCTL_DSP_SETFMT, AFMT_U8);
	call(fd, SNDCTL_DSP_SPEED, RATE_HZ);
	call(fd, SNDCTL_DSP_SETFRAGMENT, FRAGMENTS << 16 | FRAGMENT_SHIFT);
	EXPECT(call(fd, SNDCTL_DSP_GETBLKSIZE, 0) == FRAGMENT);
	audio_buf_info space;
	EXPECT(ioctl(fd, SNDCTL_DSP_GETOSPACE, &space) == 0);
	EXPECT(ioctl(fd, SNDCTL_DSP_GETOSPACE, NULL) < 0);
	unsigned char hostile[64] = {0xde, 0xad};
	EXPECT(ioctl(fd, _IOWR('P', 99, int), hostile) < 0);
	EXPECT(ioctl(fd, _IOW('\n', 1, char[60]), hostile) < 0);
	EXPECT(ioctl(fd, 0xffffffff, hostile) < 0);

	static unsigned char sound[2 * BUFFER];
	for (int i = 0; i < 2 * BUFFER; i++)
		sound[i] = i * 7 + 1;
	EXPECT(write(fd, sound, sizeof sound) >= BUFFER);
	EXPECT(write(fd, sound, BUFFER) < FRAGMENT);
	struct pollfd wanted = {.fd = fd, .events = POLLOUT};
	EXPECT(poll(&wanted, 1, 0) == 0);
	EXPECT(poll(&wanted, 1, 20) == 0);
	EXPECT(poll(&wanted, 1, 1000) == 1);
	call(fd, SNDCTL_DSP_GETODELAY, 0);
	EXPECT(ioctl(fd, SNDCTL_DSP_RESET, NULL) == 0);
	close(fd);

	fd = open("/dev/dsp", O_RDONLY);
	EXPECT(read(fd, sound, 800) == 800); // 100 ms
	close(fd);
	int mixer = open("/dev/mixer", O_RDWR);
	EXPECT(call(mixer, SOUND_MIXER_WRITE_PCM, 50 | 60 << 8) == (50 | 60 << 8));
	EXPECT(write(mixer, sound, 10) < 0);
	close(mixer);
}

/** A mapping, which is played for a while. */
static void mapping(void)
{
	int fd = open("/dev/dsp", O_RDWR);
	call(fd, SNDCTL_DSP_SETFRAGMENT, 2 << 16 | 12);
	char *ring = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(ring != MAP_FAILED);
	memset(ring, 0x80, 8192);
	call(fd, SNDCTL_DSP_SETTRIGGER, PCM_ENABLE_OUTPUT);
	usleep(50000);
	count_info info;
	EXPECT(ioctl(fd, SNDCTL_DSP_GETOPTR, &info) == 0);
	munmap(ring, 8192);
	close(fd);
}

/** A child that calls itself by a name that is to break a script writes to what it has inherited. */
static void child(void)
{
	int fd = open("/dev/dsp", O_WRONLY);
	pid_t pid = fork();
	if (pid == 0) {
		EXPECT(write(fd, "abcdefgh", 8) == 8);
		prctl(PR_SET_NAME, "x\n  \"y\n#");
		int own = open("/dev/dsp", O_WRONLY);
		EXPECT(write(own, "\200\200\200\200", 4) == 4);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	EXPECT(write(fd, "ijkl", 4) == 4);
	close(fd);
}

static void *play(void *fd)
{
	static unsigned char sound[2 * BUFFER];
	EXPECT(write(*(int *) fd, sound, sizeof sound) == sizeof sound);
	return NULL;
}

/** A thread waits in write(2), the other one asks how far it is. */
static void threads(void)
{
	int fd = open("/dev/dsp", O_WRONLY);
	call(fd, SNDCTL_DSP_SPEED, RATE_HZ);
	call(fd, SNDCTL_DSP_SETFRAGMENT, FRAGMENTS << 16 | FRAGMENT_SHIFT);
	pthread_t thread;
	pthread_create(&thread, NULL, play, &fd);
	for (int i = 0; i < 3; i++) {
		usleep(50000);
		call(fd, SNDCTL_DSP_GETODELAY, 0);
	}
	pthread_join(thread, NULL);
	close(fd);
}

static void nothing(int signal)
{
	(void) signal;
}

/** A signal comes while a write waits, and while a SYNC does. */
static void signals(void)
{
	struct sigaction action = {.sa_handler = nothing};
	sigaction(SIGALRM, &action, NULL);
	static unsigned char sound[4 * BUFFER];
	memset(sound, 0x80, sizeof sound);
	int fd = open("/dev/dsp", O_WRONLY);
	call(fd, SNDCTL_DSP_SPEED, RATE_HZ);
	call(fd, SNDCTL_DSP_SETFRAGMENT, FRAGMENTS << 16 | FRAGMENT_SHIFT);
	ualarm(30000, 30000); // again and again, for it may come between two calls
	EXPECT(write(fd, sound, sizeof sound) < (long) sizeof sound);
	EXPECT(ioctl(fd, SNDCTL_DSP_SYNC, NULL) < 0 && errno == EINTR);
	ualarm(0, 0);
	EXPECT(ioctl(fd, SNDCTL_DSP_RESET, NULL) == 0);
	close(fd);
}

/** As many bytes as a trace cannot be written down so fast. */
static void flood(void)
{
	static unsigned char sound[64 << 10];
	memset(sound, 1, sizeof sound);
	int fd = open("/dev/dsp", O_WRONLY);
	call(fd, SNDCTL_DSP_SPEED, 384000);
	call(fd, SNDCTL_DSP_CHANNELS, 8);
	for (int i = 0; i < 6000; i++)
		EXPECT(write(fd, sound, sizeof sound) == sizeof sound);
	close(fd);
}

int main(int count, char *words[])
{
	static const struct {
		const char *name;
		void (*act)(void);
	} acts[] = {{"every_call", every_call}, {"mapping", mapping}, {"child", child},
		{"threads", threads}, {"signals", signals}, {"flood", flood}};
	for (unsigned i = 0; i < sizeof acts / sizeof *acts; i++)
		if (count > 1 && strcmp(words[1], acts[i].name) == 0) {
			acts[i].act();
			return 0;
		}
	fail("no such act");
	return 1;
}
