// When this machine stood still: a thread on each processor, before whom only interrupts come, wakes
// twice a millisecond, and says when it was woken late.
//
// Usage: stalls LEAST_MS
//
// Says "ready", then for each time a line of the processor, and the ms since the epoch when it should
// have been woken and when it was. SIGTERM ends it.
//
// Exit status: 1 real-time scheduling is not allowed, 2 usage.

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PRIORITY = 80, STEP_NS = 500000, SECOND_NS = 1000000000 };

static double least_ms;
static double epoch_ms; // of the monotonic clock's zero

static double ms(const struct timespec *time)
{
	return time->tv_sec * 1e3 + time->tv_nsec / 1e6;
}

static void *watch(void *argument)
{
	int processor = (int) (long) argument;
	struct timespec due, now;

	clock_gettime(CLOCK_MONOTONIC, &due);
	for (;;) {
		due.tv_nsec += STEP_NS;
		if (due.tv_nsec >= SECOND_NS) {
			due.tv_nsec -= SECOND_NS;
			due.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (ms(&now) - ms(&due) < least_ms) continue;
		printf("%d %.3f %.3f\n", processor, epoch_ms + ms(&due), epoch_ms + ms(&now));
		fflush(stdout);
		clock_gettime(CLOCK_MONOTONIC, &due);
	}
	return NULL;
}

static int start(int processor)
{
	struct sched_param parameters = { .sched_priority = PRIORITY };
	pthread_attr_t attributes;
	pthread_t thread;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(processor, &one);
	pthread_attr_init(&attributes);
	pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
	pthread_attr_setschedparam(&attributes, &parameters);
	pthread_attr_setaffinity_np(&attributes, sizeof one, &one);
	return pthread_create(&thread, &attributes, watch, (void *) (long) processor);
}

int main(int count, char **words)
{
	struct timespec real, monotonic;

	if (count != 2 || (least_ms = atof(words[1])) <= 0) return 2;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	epoch_ms = ms(&real) - ms(&monotonic);
	cpu_set_t all;
	sched_getaffinity(0, sizeof all, &all);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all) || start(i) == 0) continue;
		fputs("stalls: no thread of real-time scheduling\n", stderr);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) pause();
}
