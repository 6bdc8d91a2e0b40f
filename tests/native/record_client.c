// An OSS client for the tests of recording: one behaviour a run, through the system calls that
// programs make.
//
// Usage: record_client CASE DEVICE
//
// Every case records unsigned 8 bit mono, so that a byte is a frame. What can be heard is PATTERN,
// from its start when the recording starts. Return values, bytes and times are checked here; status 1
// and a line say what was wrong.

#include "client.h"

#define GETERROR _IOR('P', 25, struct audio_errors) // OSS 4's, not in linux/soundcard.h

enum {
	// How late a wake-up may come on a busy machine.
	SLACK_MS = 250,
};

struct audio_errors {
	int play_underruns, rec_overruns;
	char others[104];
};

static unsigned char heard[4 * BUFFER];

static void expect_time(double start_ms, double least_ms)
{
	double passed_ms = now_ms() - start_ms;
	EXPECT(passed_ms > least_ms - 2 && passed_ms < least_ms + SLACK_MS, "%.1f ms", passed_ms);
}

static int open_device(int flags)
{
	int fd = open(device, flags);
	EXPECT(fd >= 0, "errno %d", errno);
	call(fd, SNDCTL_DSP_SETFRAGMENT, FRAGMENTS << 16 | FRAGMENT_SHIFT);
	EXPECT(call(fd, SNDCTL_DSP_SPEED, RATE_HZ) == RATE_HZ, "");
	EXPECT(call(fd, SNDCTL_DSP_GETBLKSIZE, 0) == FRAGMENT, "");
	return fd;
}

static audio_buf_info space(int fd)
{
	audio_buf_info info;
	EXPECT(ioctl(fd, SNDCTL_DSP_GETISPACE, &info) == 0, "errno %d", errno);
	return info;
}

static long pointer(int fd, unsigned long request)
{
	count_info info;
	EXPECT(ioctl(fd, request, &info) == 0, "errno %d", errno);
	return info.bytes;
}

static int overruns(int fd)
{
	struct audio_errors errors;
	EXPECT(ioctl(fd, GETERROR, &errors) == 0, "errno %d", errno);
	return errors.rec_overruns;
}

static void expect_pattern(long from, long length)
{
	for (long i = 0; i < length; i++) {
		EXPECT(heard[i] == PATTERN(from + i), "byte %ld after %ld: %d", i, from, heard[i]);
	}
}

/* Reads all of a part of the pattern. */
static void record(int fd, long from, long length)
{
	long count = read(fd, heard, length);
	EXPECT(count == length, "%ld of %ld, errno %d", count, length, errno);
	expect_pattern(from, length);
}

static void nothing(int signal)
{
	(void) signal;
}

/* A signal after some time; what sleeps then is interrupted, not restarted. */
static void alarm_ms(int ms)
{
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval timer = { .it_value.tv_usec = ms * 1000 };
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* A read waits for all that it asked for, more than the buffer holds too. */
static void blocking_read(void)
{
	int fd = open_device(O_RDONLY);
	double start_ms = now_ms();
	record(fd, 0, BUFFER + FRAGMENT);
	expect_time(start_ms, sound_ms(BUFFER + FRAGMENT));
	EXPECT(overruns(fd) == 0, "");
}

/* Odd sizes, one after the other, are one sound without a gap. */
static void small_reads(void)
{
	int fd = open_device(O_RDWR);
	double start_ms = now_ms();
	long done = 0;
	for (long length = 1; done < BUFFER; length = length * 2 + 1) {
		record(fd, done, length);
		done += length;
	}
	expect_time(start_ms, sound_ms(done));
	EXPECT(read(fd, heard, 0) == 0, "errno %d", errno);
}

/* Without waiting there is what there is, or EAGAIN. */
static void nonblocking_read(void)
{
	int fd = open_device(O_RDONLY | O_NONBLOCK);
	double start_ms = now_ms();
	EXPECT(read(fd, heard, BUFFER) < 0 && errno == EAGAIN, "errno %d", errno);
	usleep(100000);
	long count = read(fd, heard, BUFFER);
	double passed_ms = now_ms() - start_ms;
	EXPECT(count >= RATE_HZ / 10 - 16, "%ld", count);
	EXPECT(sound_ms(count) <= passed_ms, "%ld bytes in %.1f ms", count, passed_ms);
	expect_pattern(0, count);
	long more = read(fd, heard, BUFFER);
	EXPECT(more > 0 || errno == EAGAIN, "errno %d", errno);
	if (more > 0) expect_pattern(count, more);
	close(fd);

	fd = open_device(O_RDONLY);
	ioctl(fd, SNDCTL_DSP_NONBLOCK, 0);
	EXPECT(read(fd, heard, BUFFER) < 0 && errno == EAGAIN, "errno %d", errno);
}

/* A poll for reading starts the recording, and ends with each fragment. */
static void poll_fragments(void)
{
	enum { ROUNDS = 10 };
	int fd = open_device(O_RDWR | O_NONBLOCK);
	struct pollfd writing = { .fd = fd, .events = POLLOUT };
	EXPECT(poll(&writing, 1, SLACK_MS) == 1 && writing.revents == POLLOUT, "%x", writing.revents);
	usleep(20000);
	EXPECT(pointer(fd, SNDCTL_DSP_GETIPTR) == 0, "a poll for writing has started it");
	double start_ms = now_ms();
	for (int i = 0; i < ROUNDS; i++) {
		struct pollfd reading = { .fd = fd, .events = POLLIN };
		EXPECT(poll(&reading, 1, sound_ms(FRAGMENT) + SLACK_MS) == 1, "round %d", i);
		EXPECT(reading.revents == POLLIN, "%x", reading.revents);
		EXPECT(space(fd).bytes >= FRAGMENT && space(fd).fragments >= 1, "%d", space(fd).bytes);
		record(fd, (long) i * FRAGMENT, FRAGMENT);
	}
	expect_time(start_ms, sound_ms(ROUNDS * FRAGMENT));

	fd_set set;
	FD_ZERO(&set);
	FD_SET(fd, &set);
	EXPECT(select(fd + 1, &set, NULL, NULL, NULL) == 1, "errno %d", errno);
	record(fd, ROUNDS * FRAGMENT, FRAGMENT);
}

/* A program that only looks at GETISPACE sees the sound come. */
static void ask_for_space(void)
{
	int fd = open_device(O_RDONLY);
	audio_buf_info info = space(fd);
	EXPECT(info.fragsize == FRAGMENT && info.fragstotal == FRAGMENTS, "%d", info.fragsize);
	double start_ms = now_ms();
	while (space(fd).bytes < FRAGMENT) {
		EXPECT(now_ms() - start_ms < sound_ms(FRAGMENT) + SLACK_MS, "%d", space(fd).bytes);
		usleep(1000);
	}
	expect_time(start_ms, sound_ms(FRAGMENT));
	record(fd, 0, FRAGMENT);
}

/* Who sleeps too long loses whole fragments, the oldest, and is told so once. */
static void overrun(void)
{
	enum { FIRST = 16 };
	int fd = open_device(O_RDONLY);
	record(fd, 0, FIRST);
	EXPECT(overruns(fd) == 0, "");
	usleep(1000000);
	long end = pointer(fd, SNDCTL_DSP_GETIPTR);
	EXPECT(end >= RATE_HZ, "%ld", end);
	EXPECT(space(fd).bytes > BUFFER - FRAGMENT && space(fd).bytes <= BUFFER, "%d", space(fd).bytes);
	EXPECT(overruns(fd) == 1 && overruns(fd) == 0, "");
	EXPECT(read(fd, heard, FRAGMENT) == FRAGMENT, "errno %d", errno);
	long lost = RATE_HZ / FRAGMENT * FRAGMENT - BUFFER;
	while (lost < end && heard[0] != PATTERN(FIRST + lost)) lost += FRAGMENT;
	expect_pattern(FIRST + lost, FRAGMENT);
	record(fd, FIRST + lost + FRAGMENT, BUFFER);
	EXPECT(overruns(fd) == 0, "");
}

/* A signal ends a read with what it has got, or with EINTR; nothing of the sound is lost. */
static void interrupted_read(void)
{
	int fd = open_device(O_RDONLY);
	alarm_ms(20);
	double start_ms = now_ms();
	EXPECT(read(fd, heard, BUFFER) < 0 && errno == EINTR, "errno %d", errno);
	expect_time(start_ms, 20);
	alarm_ms(100);
	long count = read(fd, heard, BUFFER);
	EXPECT(count >= FRAGMENT && count < BUFFER, "%ld, errno %d", count, errno);
	expect_pattern(0, count);
	record(fd, count, 2 * FRAGMENT);
}

static void killed_in_read(void)
{
	pid_t child = fork_or_fail();
	if (child == 0) {
		read(open_device(O_RDONLY), heard, sizeof heard);
		_exit(0);
	}
	usleep(200000);
	double start_ms = now_ms();
	int status;
	kill(child, SIGKILL);
	EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "status %x", status);
	expect_time(start_ms, 0);
	record(open_device(O_RDONLY), 0, FRAGMENT);
}

/* Two threads of a program, or two programs: who came first is served first, and each byte once. */
static void two_readers(void)
{
	int fd = open_device(O_RDONLY);
	pid_t child = fork_or_fail();
	if (child == 0) {
		record(fd, 0, 3 * FRAGMENT);
		_exit(0);
	}
	usleep(50000);
	record(fd, 3 * FRAGMENT, 2 * FRAGMENT);
	int status;
	EXPECT(waitpid(child, &status, 0) == child && status == 0, "status %x", status);
}

/* RESET and new parameters begin anew. */
static void begin_anew(void)
{
	int fd = open_device(O_RDONLY);
	record(fd, 0, 3 * FRAGMENT / 2);
	EXPECT(ioctl(fd, SNDCTL_DSP_RESET, 0) == 0, "errno %d", errno);
	usleep(100000);
	record(fd, 0, FRAGMENT);
	call(fd, SNDCTL_DSP_SPEED, RATE_HZ / 2);
	EXPECT(read(fd, heard, 100) == 100, "errno %d", errno);
	call(fd, SNDCTL_DSP_SPEED, RATE_HZ);
	record(fd, 0, FRAGMENT);
	double start_ms = now_ms();
	close(fd); // nothing is waited for
	expect_time(start_ms, 0);
}

/* The time between the two pointers of one who plays and records stays the same. */
static void expect_constant_offset(int playing, int recording)
{
	enum { SAMPLES = 15, WITHIN = 32 }; // 2 ms
	static unsigned char silence[BUFFER];
	long first = 0;
	memset(silence, 0x80, sizeof silence);
	EXPECT(write(playing, silence, BUFFER) == BUFFER, "errno %d", errno);
	record(recording, 0, FRAGMENT / 2);
	for (int i = 0; i < SAMPLES; i++) {
		long played, recorded;
		for (double taken_ms = 1; taken_ms >= 1;) { // again if something came in between
			double start_ms = now_ms();
			played = pointer(playing, SNDCTL_DSP_GETOPTR);
			recorded = pointer(recording, SNDCTL_DSP_GETIPTR);
			taken_ms = now_ms() - start_ms;
		}
		if (i == 0) first = recorded - played;
		EXPECT(labs(recorded - played - first) < WITHIN, "%ld, %ld", first, recorded - played);
		usleep(20000);
	}
	EXPECT(pointer(playing, SNDCTL_DSP_GETOPTR) > RATE_HZ / 4, "it does not play");
}

static void duplex_on_one(void)
{
	int fd = open_device(O_RDWR);
	expect_constant_offset(fd, fd);
}

static void duplex_on_two(void)
{
	int recording = open_device(O_RDONLY);
	expect_constant_offset(open_device(O_WRONLY), recording);
}

/* Who hears what he plays hears it at a constant offset: every byte once, from the first on. */
static void duplex_with_oneself(void)
{
	enum { PLAYED = 10 * BUFFER, START = 64 };
	static unsigned char played[PLAYED], back[PLAYED];
	for (int i = 0; i < PLAYED; i++) played[i] = i ^ i >> 8;
	int fd = open_device(O_RDWR);
	for (int at = 0; at < PLAYED; at += FRAGMENT) {
		EXPECT(write(fd, played + at, FRAGMENT) == FRAGMENT, "errno %d", errno);
		EXPECT(read(fd, back + at, FRAGMENT) == FRAGMENT, "errno %d", errno);
	}
	int offset = 0;
	while (offset < PLAYED - START && memcmp(back + offset, played, START) != 0) offset++;
	EXPECT(offset < PLAYED / 2, "it is heard %d bytes later", offset);
	for (int i = offset; i < PLAYED; i++) {
		EXPECT(back[i] == played[i - offset], "not from byte %d on, of offset %d", i, offset);
	}
}

/* What a descriptor was not opened for. */
static void other_way(void)
{
	audio_buf_info info;
	int fd = open_device(O_WRONLY);
	EXPECT(read(fd, heard, 1) < 0 && errno == EBADF, "errno %d", errno);
	EXPECT(ioctl(fd, SNDCTL_DSP_GETISPACE, &info) < 0 && errno == EINVAL, "errno %d", errno);
	struct pollfd reading = { .fd = fd, .events = POLLIN };
	EXPECT(poll(&reading, 1, 100) == 0, "%x", reading.revents);
	close(fd);
	fd = open_device(O_RDONLY);
	EXPECT(write(fd, heard, 1) < 0 && errno == EBADF, "errno %d", errno);
	struct pollfd writing = { .fd = fd, .events = POLLOUT };
	EXPECT(poll(&writing, 1, 100) == 0, "%x", writing.revents);
}

/* Where there is no source, there is playing all the same. */
static void no_source(void)
{
	EXPECT(open(device, O_RDONLY) < 0 && errno == ENODEV, "errno %d", errno);
	int fd = open_device(O_RDWR);
	EXPECT(read(fd, heard, 1) < 0 && errno == ENODEV, "errno %d", errno);
	EXPECT(write(fd, heard, 1) == 1, "errno %d", errno);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
#define CASE(name) { #name, name }
	CASE(blocking_read),
	CASE(small_reads),
	CASE(nonblocking_read),
	CASE(poll_fragments),
	CASE(ask_for_space),
	CASE(overrun),
	CASE(interrupted_read),
	CASE(killed_in_read),
	CASE(two_readers),
	CASE(begin_anew),
	CASE(duplex_on_one),
	CASE(duplex_on_two),
	CASE(duplex_with_oneself),
	CASE(other_way),
	CASE(no_source),
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof cases / sizeof *cases; i++) {
		if (strcmp(cases[i].name, argv[1]) != 0) continue;
		device = argv[2];
		cases[i].run();
		return 0;
	}
	fprintf(stderr, "usage: record_client CASE DEVICE\n");
	return 64;
}
