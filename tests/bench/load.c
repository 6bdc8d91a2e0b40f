// Plays on many streams at once, in real time, and measures what a call on one more stream takes
// meanwhile.
//
// Usage: load DEVICE STREAMS SECONDS
//   plays  48 kHz stereo S16 noise on each stream, in blocking writes of a fragment
//   prints the median and the 99th percentile of OSS_GETVERSION in nanoseconds, and all underruns

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

enum { PROBE_INTERVAL_US = 5000, MAX_PROBES = 100000 };

static const char *device;
static double end;
static int underruns;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int opened(void)
{
	int format = AFMT_S16_LE, stereo = 1, rate = 48000;
	int fd = open(device, O_WRONLY);
	if (fd < 0 || ioctl(fd, SNDCTL_DSP_SETFMT, &format) < 0 ||
	    ioctl(fd, SNDCTL_DSP_STEREO, &stereo) < 0 || ioctl(fd, SNDCTL_DSP_SPEED, &rate) < 0) {
		perror(device);
		exit(1);
	}
	return fd;
}

static void *play(void *unused)
{
	char sound[4096];
	struct audio_errinfo errors;
	int fd = opened();
	for (size_t i = 0; i < sizeof sound; i++)
		sound[i] = i * 7;
	while (now() < end)
		if (write(fd, sound, sizeof sound) < 0)
			perror("write");
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
	if (argc != 4)
		return fprintf(stderr, "usage: load DEVICE STREAMS SECONDS\n"), 2;
	device = argv[1];
	int streams = atoi(argv[2]), probes = 0, version;
	end = now() + atof(argv[3]) * 1e9;
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
	printf("{\"median\":%.0f,\"p99\":%.0f,\"underruns\":%d}\n", times[probes / 2],
	       times[probes * 99 / 100], underruns);
	return 0;
}
