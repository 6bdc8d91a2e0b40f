// Plays on many streams at once, in real time, and measures what a call on one more stream takes
// meanwhile.
//
// Usage: load DEVICE STREAMS RATE SECONDS
//   plays  stereo S16 of so many Hz on each stream, in blocking writes of a fragment
//   prints the median and the 99th percentile of OSS_GETVERSION in nanoseconds, all underruns, and
//   the frames that were taken of each stream in a second

#include <fcntl.h>
#include <linux/soundcard.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

// From OSS 4's soundcard.h.
struct audio_errinfo {
	int play_underruns, rec_overruns;
	unsigned play_ptradjust, rec_ptradjust;
	int play_errorcount, rec_errorcount, play_lasterror, rec_lasterror;
	long long play_errorparm, rec_errorparm;
	int filler[16];
};
#define SNDCTL_DSP_GETERROR _SIOR('P', 25, struct audio_errinfo)

enum { PROBE_INTERVAL_US = 5000, MAX_PROBES = 100000, FRAGMENT_SHIFT = 12, FRAGMENTS = 16 };
enum { FRAME_BYTES = 4 };

static const char *device;
static int rate;
static double end;
static int underruns;
static long blocks;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int opened(void)
{
	int fragments = FRAGMENTS << 16 | FRAGMENT_SHIFT, format = AFMT_S16_LE, stereo = 1;
	int speed = rate, fd = open(device, O_WRONLY);
	if (fd < 0 || ioctl(fd, SNDCTL_DSP_SETFRAGMENT, &fragments) < 0 ||
	    ioctl(fd, SNDCTL_DSP_SETFMT, &format) < 0 ||
	    ioctl(fd, SNDCTL_DSP_STEREO, &stereo) < 0 || ioctl(fd, SNDCTL_DSP_SPEED, &speed) < 0) {
		perror(device);
		exit(1);
	}
	return fd;
}

static void *play(void *unused)
{
	char sound[1 << FRAGMENT_SHIFT];
	struct audio_errinfo errors;
	int fd = opened();
	for (size_t i = 0; i < sizeof sound; i++)
		sound[i] = i * 7;
	while (now() < end) {
		if (write(fd, sound, sizeof sound) < 0)
			perror("write");
		__sync_fetch_and_add(&blocks, 1);
	}
	if (ioctl(fd, SNDCTL_DSP_GETERROR, &errors) == 0)
		__sync_fetch_and_add(&underruns, errors.play_underruns);
	ioctl(fd, SNDCTL_DSP_RESET, 0);
	close(fd);
	return unused;
}

static int ascending(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;
	return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return fprintf(stderr, "usage: load DEVICE STREAMS RATE SECONDS\n"), 2;
	device = argv[1];
	rate = atoi(argv[3]);
	int streams = atoi(argv[2]), probes = 0, version;
	end = now() + atof(argv[4]) * 1e9;
	pthread_t *threads = calloc(streams, sizeof *threads);
	for (int i = 0; i < streams; i++)
		pthread_create(&threads[i], 0, play, 0);
	double *times = calloc(MAX_PROBES, sizeof *times);
	int fd = opened();
	for (; now() < end && probes < MAX_PROBES; probes++) {
		double start = now();
		ioctl(fd, OSS_GETVERSION, &version);
		times[probes] = now() - start;
		usleep(PROBE_INTERVAL_US);
	}
	for (int i = 0; i < streams; i++)
		pthread_join(threads[i], 0);
	qsort(times, probes, sizeof *times, ascending);
	double frames = (double)blocks * (1 << FRAGMENT_SHIFT) / FRAME_BYTES;
	printf("{\"median\":%.0f,\"p99\":%.0f,\"underruns\":%d,\"rate\":%.0f}\n", times[probes / 2],
	       times[probes * 99 / 100], underruns, frames / streams / atof(argv[4]));
	return 0;
}
