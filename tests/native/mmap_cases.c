// What can happen to a mapping that plays: one case a run, on the device's ring in shared memory.
//
// Usage: mmap_cases CASE DEVICE
//
// Every case plays unsigned 8 bit mono, so that a byte is a frame. The last line of standard output
// is four numbers, LEAST MOST LEAST MOST: the file behind the device must hold so many bytes of the
// sound, then so many of the other sound, and nothing else. Return values and what the calls report
// are checked here; status 1 and a line say what was wrong, and SIGALRM ends a case that hangs.

#include "client.h"
#include <setjmp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum {
	PAGE = 4096,
	MAPPED_PAGES = 4,
	MAPPED_BYTES = MAPPED_PAGES * PAGE, // of a ring of as many, 1 s
	MAPPED_FRAGMENTS = MAPPED_BYTES / FRAGMENT,
	TICK_MS = 5,
	LIMIT_SECONDS = 10, // less than tests/native/ossp.ts waits
	NOT_HEARD = 0xaa, // what is written where nobody hears it
};

/* What is played after something has happened, so that a file shows where that was. */
#define OTHER_SOUND(i) ((unsigned char) ~PATTERN(i))

static int fd;

static struct {
	unsigned char *pages[MAPPED_PAGES]; // where each page of the file is mapped
	long fragment, length; // bytes
	bool other; // which sound it is fed
	long filled; // how much of the sound, from the trigger on, has been put into it
	long blocks; // fragments that GETOPTR has told of since the trigger
} ring;

static void sleep_ms(int ms)
{
	usleep(ms * 1000);
}

static audio_buf_info space(void)
{
	audio_buf_info info;
	EXPECT(ioctl(fd, SNDCTL_DSP_GETOSPACE, &info) == 0, "errno %d", errno);
	return info;
}

static void open_device(int fragments, int fragment_shift)
{
	fd = open(device, O_RDWR);
	EXPECT(fd >= 0, "errno %d", errno);
	call(fd, SNDCTL_DSP_SETFRAGMENT, fragments << 16 | fragment_shift);
	EXPECT(call(fd, SNDCTL_DSP_SPEED, RATE_HZ) == RATE_HZ, "");
	audio_buf_info info = space();
	EXPECT(info.fragstotal == fragments && info.fragsize == 1 << fragment_shift,
	       "%d fragments of %d bytes", info.fragstotal, info.fragsize);
	ring.fragment = info.fragsize;
	ring.length = fragments * ring.fragment;
}

static unsigned char *map_at(long offset, long length)
{
	void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	EXPECT(address != MAP_FAILED, "mmap of %ld bytes at %ld, errno %d", length, offset, errno);
	return address;
}

/* One mapping of all pages, whatever the ring's length. */
static void map(void)
{
	unsigned char *address = map_at(0, MAPPED_BYTES);
	for (int i = 0; i < MAPPED_PAGES; i++) ring.pages[i] = address + i * PAGE;
}

static unsigned char *place(long offset)
{
	return ring.pages[offset / PAGE] + offset % PAGE;
}

/* Puts the sound into the ring as far as a position. */
static void feed(long end)
{
	for (; ring.filled < end; ring.filled++) {
		*place(ring.filled % ring.length) =
			ring.other ? OTHER_SOUND(ring.filled) : PATTERN(ring.filled);
	}
}

static void start(void)
{
	call(fd, SNDCTL_DSP_SETTRIGGER, 0);
	ring.filled = ring.blocks = 0;
	feed(ring.length);
	call(fd, SNDCTL_DSP_SETTRIGGER, PCM_ENABLE_OUTPUT);
}

/* How much has been played since the trigger; GETOPTR's three numbers must say the same. */
static long pointer(void)
{
	count_info info;
	EXPECT(ioctl(fd, SNDCTL_DSP_GETOPTR, &info) == 0, "errno %d", errno);
	ring.blocks += info.blocks;
	EXPECT(info.bytes % ring.length == info.ptr && info.bytes / ring.fragment == ring.blocks,
	       "%d bytes, %ld blocks, ptr %d", info.bytes, ring.blocks, info.ptr);
	// The next fragment is fetched before its time, and must be there by then.
	EXPECT(info.bytes + 2 * ring.fragment <= ring.filled, "this program was late: %ld bytes at %d",
	       ring.filled, info.bytes);
	return info.bytes;
}

/* Keeps the ring full until so much has been played since the trigger. */
static void play_until(long bytes)
{
	for (long played; (played = pointer()) < bytes;) {
		feed(played + ring.length - ring.fragment);
		sleep_ms(TICK_MS);
	}
}

static void report(long least, long most, long other_least, long other_most)
{
	printf("%ld %ld %ld %ld\n", least, most, other_least, other_most);
}

/* Stops what plays, so that the file is complete, and tells what it must be. */
static void stop_and_report(long least)
{
	call(fd, SNDCTL_DSP_SETTRIGGER, 0);
	report(least, ring.filled, 0, 0);
}

/* For the test that ends one side of it: until that happens. */
static void play_on(void)
{
	open_device(MAPPED_FRAGMENTS, FRAGMENT_SHIFT);
	map();
	start();
	alarm(0);
	for (;;) play_until(pointer() + ring.fragment);
}

/* Has the kernel write a page back and drop it, as when memory is short; false if it did not. */
static bool page_out(int page)
{
	int flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
	unsigned char present;
	EXPECT(sync_file_range(fd, page * PAGE, PAGE, flags) == 0, "errno %d", errno);
	EXPECT(madvise(ring.pages[page], PAGE, MADV_PAGEOUT) == 0, "errno %d", errno);
	EXPECT(mincore(ring.pages[page], PAGE, &present) == 0, "errno %d", errno);
	return !(present & 1);
}

/*
 * Beyond the ring's end, which lies within a page, are zeros, and what is written there is
 * nobody's: it is gone when the page is.
 */
static void larger_than_the_ring(void)
{
	bool is_out[MAPPED_PAGES] = { true, true, true, true };
	int outs = 0;
	open_device(MAPPED_FRAGMENTS / 2 - 1, FRAGMENT_SHIFT);
	map();
	start();
	for (long bytes = 0; bytes < 3 * ring.length; bytes += ring.fragment) {
		for (long i = ring.length; i < MAPPED_BYTES; i++) {
			EXPECT(*place(i) == 0 || !is_out[i / PAGE], "%d at %ld", *place(i), i);
			*place(i) = NOT_HEARD;
		}
		for (int i = 0; i < MAPPED_PAGES; i++) outs += is_out[i] = page_out(i);
		play_until(bytes);
	}
	EXPECT(outs >= MAPPED_PAGES, "%d pages went out", outs);
	stop_and_report(2 * ring.length);
}

/* The kernel itself refuses to map from within a page on. */
static void unaligned_offset(void)
{
	open_device(MAPPED_FRAGMENTS, FRAGMENT_SHIFT);
	const long offsets[] = { 1, FRAGMENT, PAGE - 1, PAGE + FRAGMENT };
	for (int i = 0; i < 4; i++) {
		// The C library refuses such an offset by itself.
		long result = syscall(SYS_mmap, NULL, (long) PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		                      offsets[i]);
		EXPECT(result == -1 && errno == EINVAL, "offset %ld, errno %d", offsets[i], errno);
	}
	report(0, 0, 0, 0);
}

/* Each page mapped by itself: the sound goes into the ring through all these windows. */
static void windows(void)
{
	open_device(MAPPED_FRAGMENTS, FRAGMENT_SHIFT);
	for (int i = MAPPED_PAGES; i-- > 0;) ring.pages[i] = map_at(i * PAGE, PAGE);
	start();
	play_until(2 * ring.length);
	stop_and_report(2 * ring.length);
}

/* The child goes on feeding after fork() in mid-play, while the parent waits or when it is gone. */
static void fork_and_feed(bool parent_waits)
{
	open_device(MAPPED_FRAGMENTS, FRAGMENT_SHIFT);
	map();
	start();
	play_until(ring.length / 2);
	pid_t parent = getpid(), child = fork_or_fail();
	if (child == 0) {
		alarm(LIMIT_SECONDS);
		play_until(5 * ring.length / 2);
		EXPECT((getppid() == parent) == parent_waits, "the parent is %d", getppid());
		stop_and_report(5 * ring.length / 2);
	} else if (parent_waits) {
		int status;
		EXPECT(waitpid(child, &status, 0) == child && status == 0, "status %x", status);
	}
}

static void child_feeds_parent_waits(void)
{
	fork_and_feed(true);
}

static void child_feeds_parent_exits(void)
{
	fork_and_feed(false);
}

/* What is written after munmap() ends the mapping's sound, and is heard whole. */
static void unmap_and_write(void)
{
	unsigned char other[5 * FRAGMENT + 123];
	for (size_t i = 0; i < sizeof other; i++) other[i] = OTHER_SOUND(i);
	open_device(MAPPED_FRAGMENTS, FRAGMENT_SHIFT);
	map();
	start();
	play_until(3 * ring.length / 2);
	EXPECT(munmap(ring.pages[0], MAPPED_BYTES) == 0, "errno %d", errno);
	EXPECT(write(fd, other, sizeof other) == sizeof other, "errno %d", errno);
	EXPECT(close(fd) == 0, "errno %d", errno);
	report(3 * ring.length / 2, ring.filled, sizeof other, sizeof other);
}

/* What has been stopped stands at the ring's start, and plays from there when triggered anew. */
static void stop_and_restart(unsigned long request)
{
	open_device(MAPPED_FRAGMENTS, FRAGMENT_SHIFT);
	map();
	start();
	play_until(3 * ring.length / 2);
	long filled = ring.filled;
	call(fd, request, 0);
	for (int i = 0; i < 2; i++) {
		count_info info;
		EXPECT(ioctl(fd, SNDCTL_DSP_GETOPTR, &info) == 0, "errno %d", errno);
		EXPECT(info.bytes == 0 && info.blocks == 0 && info.ptr == 0,
		       "stopped: %d bytes, %d blocks, ptr %d", info.bytes, info.blocks, info.ptr);
		sleep_ms(2 * sound_ms(FRAGMENT));
	}
	ring.other = true;
	start();
	play_until(3 * ring.length / 2);
	call(fd, SNDCTL_DSP_SETTRIGGER, 0);
	report(3 * ring.length / 2, filled, 3 * ring.length / 2, ring.filled);
}

static void reset_while_running(void)
{
	stop_and_restart(SNDCTL_DSP_RESET);
}

static void trigger_off_while_running(void)
{
	stop_and_restart(SNDCTL_DSP_SETTRIGGER);
}

/* Whether poll() says within a time that a fragment has ended. */
static bool fragment_ended(int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	int count = poll(&pollfd, 1, timeout_ms);
	EXPECT(count >= 0 && (pollfd.revents & ~POLLOUT) == 0, "revents %x", pollfd.revents);
	return count > 0;
}

/* poll() wakes once a fragment, at its end, and not again before the next one has ended. */
static void poll_fragments(void)
{
	// A busy machine may wake us late, which is no fault of the device if it is now and then.
	enum { WAKES = 40, ON_TIME = WAKES * 3 / 4, MISSED = WAKES / 8 };
	open_device(MAPPED_FRAGMENTS, FRAGMENT_SHIFT);
	map();
	double started_ms = now_ms();
	start();
	long played = 0;
	int on_time = 0;
	for (int i = 0; i < WAKES; i++) {
		EXPECT(fragment_ended(1000), "wake %d", i);
		played = pointer();
		feed(played + ring.length - ring.fragment);
		on_time += played % ring.fragment < ring.fragment / 2 && !fragment_ended(0);
	}
	long fragments = played / ring.fragment;
	EXPECT(fragments >= WAKES && fragments <= WAKES + MISSED, "%ld", fragments);
	EXPECT(on_time >= ON_TIME, "%d", on_time);
	EXPECT(now_ms() - started_ms >= sound_ms(played), "%ld bytes too early", played);
	stop_and_report(played);
}

/* SETFRAGMENT before the mapping makes the ring; while that runs it succeeds, to no effect. */
static void set_fragments(void)
{
	enum { FEW = 12, SHIFT = FRAGMENT_SHIFT - 1 };
	open_device(FEW, SHIFT);
	map();
	start();
	play_until(ring.length);
	call(fd, SNDCTL_DSP_SETFRAGMENT, 4 << 16 | 12);
	audio_buf_info info = space();
	EXPECT(info.fragstotal == FEW && info.fragsize == ring.fragment, "%d fragments of %d bytes",
	       info.fragstotal, info.fragsize);
	EXPECT(call(fd, SNDCTL_DSP_GETBLKSIZE, 0) == ring.fragment, "");
	play_until(3 * ring.length);
	stop_and_report(3 * ring.length);
}

/* msync(), which brings an fsync with it, changes nothing of what runs. */
static void sync_while_running(void)
{
	open_device(MAPPED_FRAGMENTS, FRAGMENT_SHIFT);
	map();
	start();
	for (long bytes = 0; bytes < 2 * ring.length; bytes += ring.fragment) {
		play_until(bytes);
		EXPECT(msync(ring.pages[0], MAPPED_BYTES, MS_SYNC) == 0, "errno %d", errno);
		EXPECT(fsync(fd) == 0, "errno %d", errno);
	}
	stop_and_report(2 * ring.length - ring.fragment);
}

static sigjmp_buf on_bus_error;

static void catch_bus_error(int signal)
{
	siglongjmp(on_bus_error, signal);
}

/*
 * For the test that ends the daemon: what is left then. Whoever sleeps in poll() wakes, every call
 * is an error, a page that was changed holds what it held, one that was never touched is SIGBUS.
 */
static void outlive_the_daemon(void)
{
	enum { FAR = 1 << 20 }; // further than the kernel reads ahead
	open_device(MAPPED_FRAGMENTS, FRAGMENT_SHIFT);
	const volatile unsigned char *untouched = map_at(FAR, PAGE);
	map();
	start();
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	while (poll(&pollfd, 1, -1) == 1 && !(pollfd.revents & POLLERR)) {
		count_info info;
		if (ioctl(fd, SNDCTL_DSP_GETOPTR, &info) < 0) break;
		feed(info.bytes + ring.length - ring.fragment);
		printf("playing\n");
		fflush(stdout);
	}
	count_info info;
	EXPECT(ioctl(fd, SNDCTL_DSP_GETOPTR, &info) < 0 && errno == ENOTCONN, "errno %d", errno);
	EXPECT(poll(&pollfd, 1, -1) == 1 && pollfd.revents & POLLERR, "revents %x", pollfd.revents);
	for (long i = ring.filled - ring.length; i < ring.filled; i++) {
		EXPECT(*place(i % ring.length) == PATTERN(i), "at %ld", i);
	}
	feed(ring.filled + 1);
	// Not before: the kernel drops the pages that a write(2) goes past.
	EXPECT(write(fd, "", 1) < 0 && errno == ENOTCONN, "errno %d", errno);

	sigaction(SIGBUS, &(struct sigaction) { .sa_handler = catch_bus_error }, NULL);
	if (sigsetjmp(on_bus_error, true) == 0) {
		fail("a page out of nowhere holds %d", *untouched);
	}
	EXPECT(munmap(ring.pages[0], MAPPED_BYTES) == 0, "errno %d", errno);
	EXPECT(close(fd) < 0 && errno == ENOTCONN, "errno %d", errno);
	report(ring.filled - ring.length - ring.fragment, ring.filled, 0, 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
#define CASE(name) { #name, name }
	CASE(play_on),
	CASE(larger_than_the_ring),
	CASE(unaligned_offset),
	CASE(windows),
	CASE(child_feeds_parent_waits),
	CASE(child_feeds_parent_exits),
	CASE(unmap_and_write),
	CASE(reset_while_running),
	CASE(trigger_off_while_running),
	CASE(poll_fragments),
	CASE(set_fragments),
	CASE(sync_while_running),
	CASE(outlive_the_daemon),
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof cases / sizeof *cases; i++) {
		if (strcmp(cases[i].name, argv[1]) != 0) continue;
		device = argv[2];
		alarm(LIMIT_SECONDS);
		cases[i].run();
		return 0;
	}
	fprintf(stderr, "usage: mmap_cases CASE DEVICE\n");
	return 64;
}
