// An OSS client for the tests: one behaviour a run, through the system calls that programs make.
//
// Usage: client CASE DEVICE
//
// Every case plays unsigned 8 bit mono, so that a byte is a frame. What is written is PATTERN from
// its start, however many calls and processes write it. The last line of standard output is how
// many bytes of it the file behind the device must hold, or -1 for any number. Return values and
// times are checked here; status 1 and a line say what was wrong.

#include "client.h"

enum {
	PATTERN_BYTES = 1 << 20,
	// How late a wake-up may come on a busy machine: half of what the shortest wait here is about.
	SLACK_MS = 250,
};

static unsigned char pattern[PATTERN_BYTES];

static void sleep_ms(int ms)
{
	usleep(ms * 1000);
}

static void configure(int fd, int fragments)
{
	call(fd, SNDCTL_DSP_SETFRAGMENT, fragments << 16 | FRAGMENT_SHIFT);
	EXPECT(call(fd, SNDCTL_DSP_SPEED, RATE_HZ) == RATE_HZ, "");
	EXPECT(call(fd, SNDCTL_DSP_GETBLKSIZE, 0) == FRAGMENT, "");
}

static int open_device(int flags)
{
	int fd = open(device, flags);
	EXPECT(fd >= 0, "errno %d", errno);
	configure(fd, FRAGMENTS);
	return fd;
}

static audio_buf_info space(int fd)
{
	audio_buf_info info;
	EXPECT(ioctl(fd, SNDCTL_DSP_GETOSPACE, &info) == 0, "errno %d", errno);
	return info;
}

/* Writes all of a part of the pattern. */
static void play(int fd, long from, long length)
{
	long count = write(fd, pattern + from, length);
	EXPECT(count == length, "%ld of %ld, errno %d", count, length, errno);
}

/*
 * Fills the buffer of a descriptor with O_NONBLOCK; returns what it took. A byte is free again 62 us
 * later, which may be before the next call, so a few bytes at a time are no reason to go on.
 */
static long fill(int fd, long from)
{
	long done = 0, count;
	do {
		count = write(fd, pattern + from + done, BUFFER);
		EXPECT(count > 0 || (count < 0 && errno == EAGAIN), "%ld, errno %d", count, errno);
		if (count > 0) done += count;
	} while (count > 64);
	return done;
}

static void report(long bytes)
{
	printf("%ld\n", bytes);
}

static void expect_about(const char *what, double got_ms, double wanted_ms)
{
	EXPECT(got_ms > wanted_ms - SLACK_MS && got_ms < wanted_ms + SLACK_MS,
	       "%s: %.0f ms, about %.0f wanted", what, got_ms, wanted_ms);
}

static void expect_success(pid_t child)
{
	int status;
	EXPECT(waitpid(child, &status, 0) == child && status == 0, "status %x", status);
}

static void ignore(int signal)
{
	(void) signal;
}

/* SIGALRM, without SA_RESTART, while write() waits: EINTR or a short count, which is true. */
static void interrupted_write(void)
{
	int fd = open_device(O_WRONLY);
	sigaction(SIGALRM, &(struct sigaction) { .sa_handler = ignore }, NULL);
	long done = 0;
	for (int i = 0; i < 4; i++) {
		setitimer(ITIMER_REAL, &(struct itimerval) { .it_value.tv_usec = 100000 }, NULL);
		double start = now_ms();
		long count = write(fd, pattern + done, 8 * BUFFER);
		double waited = now_ms() - start;
		EXPECT(count > 0 || (count < 0 && errno == EINTR), "%ld, errno %d", count, errno);
		EXPECT(count < 8 * BUFFER, "the signal did not come between");
		expect_about("write until SIGALRM", waited, 100);
		if (count > 0) done += count;
	}
	close(fd);
	report(done);
}

/* SIGALRM during a write that waits with nothing taken, and during SYNC: both EINTR. */
static void interrupted_without_progress(void)
{
	int fd = open_device(O_WRONLY | O_NONBLOCK);
	sigaction(SIGALRM, &(struct sigaction) { .sa_handler = ignore }, NULL);
	play(fd, 0, BUFFER);
	setitimer(ITIMER_REAL, &(struct itimerval) { .it_value.tv_usec = 100000 }, NULL);
	EXPECT(ioctl(fd, SNDCTL_DSP_SYNC, 0) < 0 && errno == EINTR, "errno %d", errno);
	close(fd);
	report(BUFFER);
}

/* O_NONBLOCK: what fits, then EAGAIN; a write before a fragment is free takes what is. */
static void nonblocking_write(void)
{
	int fd = open_device(O_WRONLY | O_NONBLOCK);
	double start = now_ms();
	long done = write(fd, pattern, 4 * BUFFER);
	EXPECT(done >= BUFFER && done < BUFFER + FRAGMENT, "%ld", done);
	done += fill(fd, done);
	EXPECT(now_ms() - start < SLACK_MS, "it waited");
	sleep_ms(2 * sound_ms(FRAGMENT));
	long more = write(fd, pattern + done, 4 * BUFFER);
	EXPECT(more > FRAGMENT && more < BUFFER, "%ld", more);
	done += more;

	EXPECT(fcntl(fd, F_SETFL, 0) == 0, "errno %d", errno);
	start = now_ms();
	play(fd, done, 4 * FRAGMENT);
	expect_about("blocking write", now_ms() - start, sound_ms(4 * FRAGMENT));
	done += 4 * FRAGMENT;

	call(fd, SNDCTL_DSP_NONBLOCK, 0);
	done += fill(fd, done);
	close(fd);
	report(done);
}

/* O_NONBLOCK and a full buffer, at a rate at which it stays so between two calls: EAGAIN. */
static void full_buffer(void)
{
	int fd = open_device(O_WRONLY | O_NONBLOCK);
	EXPECT(call(fd, SNDCTL_DSP_SPEED, 100) == 100, "");
	long count, done = 0;
	double start = now_ms();
	while ((count = write(fd, pattern + done, BUFFER)) > 0) done += count;
	EXPECT(count < 0 && errno == EAGAIN, "%ld, errno %d", count, errno);
	EXPECT(now_ms() - start < SLACK_MS, "it waited");
	call(fd, SNDCTL_DSP_RESET, 0);
	close(fd);
	report(-1);
}

static int wait_poll(int fd, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT | POLLWRNORM };
	EXPECT(poll(&pollfd, 1, timeout_ms) >= 0, "errno %d", errno);
	EXPECT((pollfd.revents & ~(POLLOUT | POLLWRNORM)) == 0, "revents %x", pollfd.revents);
	return (pollfd.revents & POLLOUT) != 0;
}

static int wait_select(int fd, int timeout_ms)
{
	fd_set writable;
	FD_ZERO(&writable);
	FD_SET(fd, &writable);
	struct timeval timeout = { .tv_usec = timeout_ms * 1000 };
	return select(fd + 1, NULL, &writable, NULL, &timeout);
}

static int wait_epoll(int fd, int timeout_ms)
{
	int epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLOUT };
	EXPECT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "errno %d", errno);
	int count = epoll_wait(epoll, &event, 1, timeout_ms);
	close(epoll);
	return count;
}

/* poll, select and epoll sleep while the buffer is full and wake when a fragment is free. */
static void wait_for_room(void)
{
	int (*const waits[])(int, int) = { wait_poll, wait_select, wait_epoll };
	int fd = open_device(O_WRONLY | O_NONBLOCK);
	for (int i = 0; i < 3; i++) EXPECT(waits[i](fd, 0) == 1, "%d: of an empty buffer", i);
	long done = fill(fd, 0);
	int on_time = 0;
	for (int i = 0; i < 12; i++) {
		int (*wait)(int, int) = waits[i % 3];
		EXPECT(wait(fd, 0) == 0, "%d: of a full buffer", i);
		EXPECT(wait(fd, 900) == 1, "%d: it did not wake", i);
		audio_buf_info info = space(fd);
		EXPECT(info.fragments >= 1, "%d: %d bytes are free", i, info.bytes);
		EXPECT(wait(fd, 0) == 1, "%d: a level, not an edge", i);
		on_time += info.bytes < FRAGMENT + FRAGMENT / 2;
		done += fill(fd, done);
	}
	// A busy machine may wake late, but not as a rule.
	EXPECT(on_time >= 4, "%d of 12 wake-ups within half a fragment of their time", on_time);
	struct pollfd normal = { .fd = fd, .events = POLLWRNORM };
	EXPECT(poll(&normal, 1, 900) == 1 && normal.revents == POLLWRNORM, "%x", normal.revents);
	call(fd, SNDCTL_DSP_RESET, 0);
	close(fd);
	report(-1);
}

/* Descriptors from dup(2) and fork(2) are one stream, written in the order of the calls. */
static void shared_descriptors(void)
{
	enum { PIECE = 1500, PIECES = 8 };
	int fd = open_device(O_WRONLY);
	int copy = dup(fd);
	long done = 0;
	for (int i = 0; i < PIECES; i++, done += PIECE) {
		if (i % 2 == 0) {
			play(i % 4 == 0 ? fd : copy, done, PIECE);
			continue;
		}
		pid_t child = fork_or_fail();
		if (child == 0) {
			play(fd, done, PIECE);
			_exit(0);
		}
		expect_success(child);
	}
	close(copy);
	play(fd, done, PIECE);
	close(fd);
	report(done + PIECE);
}

/* close(2) of one descriptor of two does not wait: a shell's own redirections do that all the time. */
static void closed_copy(void)
{
	int fd = open_device(O_WRONLY);
	play(fd, 0, BUFFER);
	double start = now_ms();
	close(dup(fd));
	EXPECT(now_ms() - start < SLACK_MS, "it took %.0f ms", now_ms() - start);
	close(fd);
	report(BUFFER);
}

/* Whoever opens, forks and ends, as daemons do, need not wait for what its child goes on to play. */
static void opener_ends(void)
{
	enum { LENGTH = 3 * BUFFER };
	int done[2];
	EXPECT(pipe(done) == 0, "");
	pid_t opener = fork_or_fail();
	if (opener == 0) {
		int fd = open_device(O_WRONLY);
		if (fork_or_fail() == 0) {
			play(fd, 0, LENGTH);
			close(fd);
			_exit(write(done[1], "", 1) != 1);
		}
		sleep_ms(100);
		_exit(0);
	}
	close(done[1]);
	double start = now_ms();
	expect_success(opener);
	double waited = now_ms() - start;
	EXPECT(waited < sound_ms(BUFFER) + 2 * SLACK_MS, "the opener's end took %.0f ms", waited);
	char byte;
	EXPECT(read(done[0], &byte, 1) == 1, "the child failed");
	report(LENGTH);
}

/* Two processes that write at once share the room; killing both leaves nothing that waits. */
static void two_writers(void)
{
	int fd = open_device(O_WRONLY);
	pid_t writers[2];
	for (int i = 0; i < 2; i++) {
		writers[i] = fork_or_fail();
		if (writers[i] == 0) for (;;) play(fd, 0, PATTERN_BYTES);
		sleep_ms(100); // the first one waits for room, and the second one for it
	}
	double start = now_ms();
	for (int i = 1; i >= 0; i--) {
		kill(writers[i], SIGKILL);
		EXPECT(waitpid(writers[i], NULL, 0) == writers[i], "errno %d", errno);
		double waited = now_ms() - start;
		EXPECT(waited < 2 * SLACK_MS, "the end of writer %d took %.0f ms", i, waited);
	}
	call(fd, SNDCTL_DSP_RESET, 0);
	close(fd);
	report(-1);
}

/* close(2) lasts until what was written has been played. */
static void close_drains(void)
{
	int fd = open_device(O_WRONLY);
	play(fd, 0, BUFFER);
	double start = now_ms();
	close(fd);
	expect_about("close", now_ms() - start, sound_ms(BUFFER));
	report(BUFFER);
}

/* SYNC lasts as long, after which nothing is left for close to do. */
static void sync_drains(void)
{
	int fd = open_device(O_WRONLY);
	long length = BUFFER - FRAGMENT / 2;
	play(fd, 0, length);
	double start = now_ms();
	EXPECT(ioctl(fd, SNDCTL_DSP_SYNC, 0) == 0, "errno %d", errno);
	expect_about("SYNC", now_ms() - start, sound_ms(length));
	EXPECT(call(fd, SNDCTL_DSP_GETODELAY, 0) == 0, "");
	start = now_ms();
	close(fd);
	EXPECT(now_ms() - start < SLACK_MS, "close took %.0f ms after SYNC", now_ms() - start);
	report(length);
}

/* RESET forgets what has not been played, and the stream can go on. */
static void reset_drops(void)
{
	int fd = open_device(O_WRONLY);
	play(fd, 0, BUFFER);
	double start = now_ms();
	call(fd, SNDCTL_DSP_RESET, 0);
	EXPECT(space(fd).bytes == BUFFER, "%d", space(fd).bytes);
	close(fd);
	EXPECT(now_ms() - start < SLACK_MS, "close took %.0f ms after RESET", now_ms() - start);
	report(-1);
}

/* A client with a long buffer that is killed while it waits ends at once, wherever it waits. */
static void expect_quick_death(void wait_in(int fd), int signal)
{
	int ready[2];
	EXPECT(pipe(ready) == 0, "");
	pid_t child = fork_or_fail();
	if (child == 0) {
		int fd = open(device, O_WRONLY);
		configure(fd, 64); // 4 s
		play(fd, 0, 64 * FRAGMENT);
		if (write(ready[1], "", 1) == 1) wait_in(fd);
		_exit(0);
	}
	char byte;
	close(ready[1]);
	EXPECT(read(ready[0], &byte, 1) == 1, "the child failed");
	sleep_ms(100);
	EXPECT(waitpid(child, NULL, WNOHANG) == 0, "it did not wait");
	double start = now_ms();
	kill(child, signal);
	EXPECT(waitpid(child, NULL, 0) == child, "errno %d", errno);
	double waited = now_ms() - start;
	EXPECT(waited < 2 * SLACK_MS, "signal %d: the end took %.0f ms", signal, waited);
}

static void wait_in_close(int fd)
{
	close(fd);
}

static void wait_in_sync(int fd)
{
	ioctl(fd, SNDCTL_DSP_SYNC, 0);
}

static void wait_in_write(int fd)
{
	play(fd, 0, 64 * FRAGMENT);
}

static void wait_elsewhere(int fd)
{
	(void) fd;
	pause();
}

static void killed_in_close(void)
{
	expect_quick_death(wait_in_close, SIGKILL);
	report(-1);
}

static void killed_in_sync(void)
{
	expect_quick_death(wait_in_sync, SIGKILL);
	report(-1);
}

static void killed_in_write(void)
{
	expect_quick_death(wait_in_write, SIGKILL);
	report(-1);
}

static void killed_elsewhere(void)
{
	expect_quick_death(wait_elsewhere, SIGKILL);
	report(-1);
}

static void terminated_in_write(void)
{
	expect_quick_death(wait_in_write, SIGTERM);
	report(-1);
}

/* Plays until an error ends it; prints a byte count that is true whatever happens to the server. */
static void flood(void)
{
	int fd = open_device(O_WRONLY);
	long done = 0, count;
	printf("playing\n");
	fflush(stdout);
	while ((count = write(fd, pattern + done % (PATTERN_BYTES / 2), FRAGMENT)) > 0) done += count;
	printf("%s\n", strerrorname_np(errno));
	report(done);
}

/* Sound that is lost is said to be: by SYNC, by fsync and by close, of a write that was taken. */
static void lost_sound(void)
{
	int fd = open_device(O_WRONLY);
	play(fd, 0, FRAGMENT / 2);
	EXPECT(ioctl(fd, SNDCTL_DSP_SYNC, 0) < 0 && errno == EIO, "errno %d", errno);
	EXPECT(write(fd, pattern, FRAGMENT) < 0 && errno == EIO, "errno %d", errno);
	EXPECT(fsync(fd) < 0 && errno == EIO, "errno %d", errno);
	EXPECT(close(fd) < 0 && errno == EIO, "errno %d", errno);
	report(-1);
}

/* Plays a constant level, 16 bit stereo, and sets the PCM volume to 50 % half way, from a child. */
static void mixer(void)
{
	enum { FRAMES = RATE_HZ / 4, LEVEL = 8000 };
	static short frames[2 * FRAMES];
	for (int i = 0; i < 2 * FRAMES; i++) frames[i] = i % 2 ? -LEVEL : LEVEL;
	int fd = open(device, O_WRONLY);
	EXPECT(fd >= 0, "errno %d", errno);
	EXPECT(call(fd, SNDCTL_DSP_SETFMT, AFMT_S16_LE) == AFMT_S16_LE, "");
	EXPECT(call(fd, SNDCTL_DSP_CHANNELS, 2) == 2, "");
	EXPECT(call(fd, SNDCTL_DSP_SPEED, RATE_HZ) == RATE_HZ, "");
	for (int half = 0; half < 2; half++) {
		EXPECT(write(fd, frames, sizeof frames) == sizeof frames, "errno %d", errno);
		EXPECT(ioctl(fd, SNDCTL_DSP_SYNC, 0) == 0, "errno %d", errno);
		pid_t child = half == 0 ? fork_or_fail() : -1;
		if (child == 0) {
			char path[4096];
			snprintf(path, sizeof path, "%.*s/mixer", (int) (strrchr(device, '/') - device), device);
			int mixer = open(path, O_RDWR);
			EXPECT(mixer >= 0, "errno %d", errno);
			EXPECT(call(mixer, SOUND_MIXER_READ_PCM, 0) == (100 | 100 << 8), "");
			EXPECT(call(mixer, SOUND_MIXER_WRITE_PCM, 50 | 50 << 8) == (50 | 50 << 8), "");
			EXPECT(call(mixer, SOUND_MIXER_READ_PCM, 0) == (50 | 50 << 8), "");
			_exit(0);
		}
		if (child > 0) expect_success(child);
	}
	close(fd);
	report(2 * (long) sizeof frames);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
#define CASE(name) { #name, name }
	CASE(interrupted_write),
	CASE(interrupted_without_progress),
	CASE(nonblocking_write),
	CASE(full_buffer),
	CASE(wait_for_room),
	CASE(shared_descriptors),
	CASE(closed_copy),
	CASE(opener_ends),
	CASE(two_writers),
	CASE(close_drains),
	CASE(sync_drains),
	CASE(reset_drops),
	CASE(killed_in_close),
	CASE(killed_in_sync),
	CASE(killed_in_write),
	CASE(killed_elsewhere),
	CASE(terminated_in_write),
	CASE(flood),
	CASE(lost_sound),
	CASE(mixer),
};

int main(int argc, char **argv)
{
	for (long i = 0; i < PATTERN_BYTES; i++) pattern[i] = PATTERN(i);
	for (size_t i = 0; argc == 3 && i < sizeof cases / sizeof *cases; i++) {
		if (strcmp(cases[i].name, argv[1]) != 0) continue;
		device = argv[2];
		cases[i].run();
		return 0;
	}
	fprintf(stderr, "usage: client CASE DEVICE\n");
	return 64;
}
