// An OSS client that never calls write(): it maps the device's ring and keeps it filled just ahead of
// the play pointer, as Quake III and its kind do. Or the reverse, for recording.
//
// Usage: mmap_client DEVICE FORMAT RATE CHANNELS FRAGMENT_SHIFT FRAGMENTS FILE [OPTION...]
//
//   FORMAT           U8 S8 MU_LAW A_LAW S16_LE S16_BE S32_LE S32_BE
//   FILE             raw sound in that format: what to play, or where to put what is recorded
//   --record BYTES   record this much instead of playing
//   --ahead BYTES    keep this much sound ahead of the play pointer: by default the ring less one
//                    fragment, after a first fill of the whole ring
//   --tick MS        time between two looks at the pointer, 5 by default
//   --log FILE       one line a look: time since the trigger in ms, then GETOPTR's or GETIPTR's
//                    bytes, blocks and ptr
//   --write-first    try write() before the mapping, with it, and after it
//   --page-out       at each look have the kernel write every other page of the ring back and drop
//                    it, as it does when memory is short
//
// Standard output is one line of JSON. Lengths are in bytes; min_lead_bytes is the least sound found
// ahead of the play pointer, or the least room found ahead of the recording one; a refill is late if
// the pointer got there first. A write's result is a count, or an errno negated. pages_out counts
// the pages that were there and then were not.
//
// Exit status: 0 done, late or not; 1 a call failed, or the pointer stood still; 2 usage;
// 3 GETCAPS does not claim DSP_CAP_MMAP and DSP_CAP_TRIGGER; 4 mmap() was refused.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/soundcard.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum status { DONE, FAILED, USAGE, NOT_CLAIMED, NOT_MAPPED };

enum { STANDSTILL_MS = 5000 };

static const struct format {
	const char *name;
	int code;
	int sample_bytes;
	unsigned char silence; // every byte of a sample of silence
} formats[] = {
	{ "U8", AFMT_U8, 1, 0x80 },
	{ "S8", AFMT_S8, 1, 0 },
	{ "MU_LAW", AFMT_MU_LAW, 1, 0xff },
	{ "A_LAW", AFMT_A_LAW, 1, 0xd5 },
	{ "S16_LE", AFMT_S16_LE, 2, 0 },
	{ "S16_BE", AFMT_S16_BE, 2, 0 },
	{ "S32_LE", 0x1000, 4, 0 }, // OSS 4's, not in linux/soundcard.h
	{ "S32_BE", 0x2000, 4, 0 },
};

static struct {
	const char *device;
	const struct format *format;
	int rate_hz, channels, fragment_shift, fragments;
	const char *file;
	long long record; // bytes, 0 to play
	long long ahead; // bytes, 0 for the default
	long long tick_ms;
	FILE *log; // may be NULL
	bool write_first, page_out;
} options = { .tick_ms = 5 };

/*
 * The mapped ring. Positions count bytes of the stream from the trigger on: position p lies at
 * offset p % length, whatever the length, and a frame may lie across the ring's end.
 */
static struct {
	int fd;
	unsigned char *bytes;
	long long length, fragment, frame;
	long long pointer; // where the device is
	uint32_t counter; // GETxPTR's bytes at the last look
	double moved_ms, started_ms;
} ring;

static struct {
	long looks, refills, late, disagreements; // of ptr with bytes, modulo the ring
	long long min_lead;
	long writes[3];
	long pages_out;
} seen = { .min_lead = INT64_MAX };

static void __attribute__((noreturn, format(printf, 2, 3)))
fail(enum status status, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "mmap_client: %s: ", options.device ? options.device : "usage");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	exit(status);
}

static double now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void tick(void)
{
	struct timespec time = { options.tick_ms / 1000, options.tick_ms % 1000 * 1000000 };
	nanosleep(&time, NULL);
}

static void call(const char *name, unsigned long request, void *argument)
{
	if (ioctl(ring.fd, request, argument) < 0) fail(FAILED, "%s: %s", name, strerror(errno));
}
#define CALL(request, argument) call(#request, request, argument)

static void set(const char *name, unsigned long request, int wanted)
{
	int got = wanted;
	call(name, request, &got);
	if (got != wanted) fail(FAILED, "%s: asked for %d, got %d", name, wanted, got);
}
#define SET(request, wanted) set(#request, request, wanted)

static void trigger(int bits)
{
	CALL(SNDCTL_DSP_SETTRIGGER, &bits);
}

static void open_device(void)
{
	// Both ways even to play: a shared writable mapping needs a descriptor that can read.
	ring.fd = open(options.device, O_RDWR);
	if (ring.fd < 0) fail(FAILED, "open: %s", strerror(errno));

	int capabilities;
	CALL(SNDCTL_DSP_GETCAPS, &capabilities);
	if (!(capabilities & DSP_CAP_MMAP) || !(capabilities & DSP_CAP_TRIGGER)) {
		fail(NOT_CLAIMED, "the device cannot be mapped: GETCAPS is 0x%x, without %s",
		     (unsigned) capabilities,
		     capabilities & DSP_CAP_MMAP ? "DSP_CAP_TRIGGER"
		     : capabilities & DSP_CAP_TRIGGER ? "DSP_CAP_MMAP"
		                                      : "DSP_CAP_MMAP and DSP_CAP_TRIGGER");
	}
	int fragments = options.fragments << 16 | options.fragment_shift;
	CALL(SNDCTL_DSP_SETFRAGMENT, &fragments);
	SET(SNDCTL_DSP_SETFMT, options.format->code);
	SET(SNDCTL_DSP_CHANNELS, options.channels);
	SET(SNDCTL_DSP_SPEED, options.rate_hz);
}

static void map(void)
{
	audio_buf_info info;
	if (options.record) CALL(SNDCTL_DSP_GETISPACE, &info);
	else CALL(SNDCTL_DSP_GETOSPACE, &info);
	ring.fragment = info.fragsize;
	ring.length = (long long) info.fragstotal * info.fragsize;
	ring.frame = options.channels * options.format->sample_bytes;
	if (ring.length < 2 * ring.frame) fail(FAILED, "a ring of %lld bytes", ring.length);

	int protection = options.record ? PROT_READ : PROT_READ | PROT_WRITE;
	void *address = mmap(NULL, ring.length, protection, MAP_SHARED, ring.fd, 0);
	if (address == MAP_FAILED) {
		fail(NOT_MAPPED, "mmap of %lld bytes: %s", ring.length, strerror(errno));
	}
	ring.bytes = address;
}

static void start(int bits)
{
	trigger(bits);
	ring.started_ms = ring.moved_ms = now_ms();
}

/* Follows the device's pointer; `ptr` says where in the ring it is, `bytes` how often around. */
static void look(void)
{
	count_info info;
	if (options.record) CALL(SNDCTL_DSP_GETIPTR, &info);
	else CALL(SNDCTL_DSP_GETOPTR, &info);
	double now = now_ms();
	seen.looks++;
	if (options.log) {
		fprintf(options.log, "%.3f %d %d %d\n", now - ring.started_ms, info.bytes, info.blocks,
		        info.ptr);
	}
	if (info.ptr < 0 || info.ptr >= ring.length) {
		fail(FAILED, "ptr is %d in a ring of %lld bytes", info.ptr, ring.length);
	}

	uint32_t counted = (uint32_t) info.bytes - ring.counter;
	long long moved = (info.ptr - ring.pointer % ring.length + ring.length) % ring.length;
	long long rounds = ((long long) counted - moved + ring.length / 2) / ring.length;
	if (moved + rounds * ring.length != counted) seen.disagreements++;
	ring.counter = info.bytes;
	ring.pointer += moved + rounds * ring.length;

	if (counted > 0) ring.moved_ms = now;
	if (now - ring.moved_ms > STANDSTILL_MS) {
		fail(FAILED, "the pointer stands still at %lld bytes", ring.pointer);
	}
}

/* How much of a span, which starts at a position, lies before the ring's end. */
static long long before_end(long long position, long long length)
{
	long long rest = ring.length - position % ring.length;
	return length < rest ? length : rest;
}

static void note_lead(long long lead)
{
	if (lead < seen.min_lead) seen.min_lead = lead;
	if (lead < 0) seen.late++;
}

/* Puts a part of the sound, and silence after its end, where the device will look for it. */
static void put(const unsigned char *sound, long long sound_length, long long from, long long to)
{
	while (from < to) {
		unsigned char *place = ring.bytes + from % ring.length;
		long long length = before_end(from, to - from);
		long long left = sound_length - from;
		if (left <= 0) {
			memset(place, options.format->silence, length);
		} else {
			if (length > left) length = left;
			memcpy(place, sound + from, length);
		}
		from += length;
	}
}

static bool is_present(unsigned char *page)
{
	unsigned char present;
	if (mincore(page, 1, &present) < 0) fail(FAILED, "mincore: %s", strerror(errno));
	return present & 1;
}

static void page_out(void)
{
	long size = getpagesize();
	for (long at = 0; at < ring.length; at += 2 * size) {
		if (!is_present(ring.bytes + at)) continue;
		// Only a clean page is dropped. msync() would bring an fsync with it.
		if (sync_file_range(ring.fd, at, size,
		                    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
		                            SYNC_FILE_RANGE_WAIT_AFTER) < 0) {
			fail(FAILED, "sync_file_range: %s", strerror(errno));
		}
		if (madvise(ring.bytes + at, size, MADV_PAGEOUT) < 0) {
			fail(FAILED, "madvise: %s", strerror(errno));
		}
		seen.pages_out += !is_present(ring.bytes + at);
	}
}

static void play(const unsigned char *sound, long long length)
{
	if (options.ahead > ring.length) fail(USAGE, "--ahead is more than the ring's %lld", ring.length);
	long long ahead = options.ahead ? options.ahead : ring.length - ring.fragment;
	long long filled = options.ahead ? options.ahead : ring.length;
	filled -= filled % ring.frame;
	trigger(0);
	put(sound, length, 0, filled);
	start(PCM_ENABLE_OUTPUT);
	for (;;) {
		look();
		if (ring.pointer >= length) break;
		note_lead(filled - ring.pointer);
		// What the device has passed is lost, as it is for a game, whose time goes on too.
		if (filled < ring.pointer) filled = ring.pointer - ring.pointer % ring.frame;
		long long target = ring.pointer + ahead;
		target -= target % ring.frame;
		if (target > filled) {
			put(sound, length, filled, target);
			filled = target;
			seen.refills++;
		}
		if (options.page_out) page_out();
		tick();
	}
	trigger(0);
}

static void record(FILE *file)
{
	long long taken = 0;
	trigger(0);
	start(PCM_ENABLE_INPUT);
	while (taken < options.record) {
		look();
		note_lead(ring.length - (ring.pointer - taken));
		long long end = ring.pointer < options.record ? ring.pointer : options.record;
		if (taken < end) seen.refills++;
		while (taken < end) {
			long long length = before_end(taken, end - taken);
			if (fwrite(ring.bytes + taken % ring.length, 1, length, file) != (size_t) length) {
				fail(FAILED, "%s: %s", options.file, strerror(errno));
			}
			taken += length;
		}
		tick();
	}
	trigger(0);
}

static void try_write(int place, const unsigned char *sound, long long length)
{
	if (!options.write_first) return;
	long count = write(ring.fd, sound, length < ring.fragment ? length : ring.fragment);
	seen.writes[place] = count < 0 ? -errno : count;
}

/* All of a file, mapped too: it is as long as the machine's memory allows. */
static const unsigned char *read_sound(long long *length)
{
	int fd = open(options.file, O_RDONLY);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) fail(FAILED, "%s: %s", options.file, strerror(errno));
	if (status.st_size == 0) fail(USAGE, "%s is empty", options.file);
	void *sound = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (sound == MAP_FAILED) fail(FAILED, "%s: %s", options.file, strerror(errno));
	close(fd);
	*length = status.st_size;
	return sound;
}

static void run_playback(void)
{
	long long length;
	const unsigned char *sound = read_sound(&length);
	if (options.write_first) {
		ring.fragment = 1LL << options.fragment_shift;
		try_write(0, sound, length);
		CALL(SNDCTL_DSP_RESET, NULL);
	}
	map();
	try_write(1, sound, length);
	play(sound, length);
	munmap(ring.bytes, ring.length);
	try_write(2, sound, length);
}

static void run_recording(void)
{
	FILE *file = fopen(options.file, "w");
	if (!file) fail(FAILED, "%s: %s", options.file, strerror(errno));
	map();
	record(file);
	munmap(ring.bytes, ring.length);
	if (fclose(file) != 0) fail(FAILED, "%s: %s", options.file, strerror(errno));
}

static long long number(const char *name, const char *text, long long least, long long most)
{
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 0);
	if (errno || end == text || *end || value < least || value > most) {
		fail(USAGE, "%s must be %lld to %lld: %s", name, least, most, text);
	}
	return value;
}

static const struct format *find_format(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		if (strcmp(name, formats[i].name) == 0) return &formats[i];
	}
	fail(USAGE, "no such format: %s", name);
}

static void read_options(int count, char **words)
{
	if (count < 8) {
		fail(USAGE, "mmap_client DEVICE FORMAT RATE CHANNELS FRAGMENT_SHIFT FRAGMENTS FILE "
		            "[--record BYTES] [--ahead BYTES] [--tick MS] [--log FILE] [--write-first] "
		            "[--page-out]");
	}
	options.device = words[1];
	options.format = find_format(words[2]);
	options.rate_hz = number("RATE", words[3], 1, 1000000);
	options.channels = number("CHANNELS", words[4], 1, 64);
	options.fragment_shift = number("FRAGMENT_SHIFT", words[5], 1, 30);
	options.fragments = number("FRAGMENTS", words[6], 1, 0x7fff);
	options.file = words[7];
	for (int i = 8; i < count; i++) {
		const char *name = words[i];
		if (strcmp(name, "--write-first") == 0) {
			options.write_first = true;
			continue;
		}
		if (strcmp(name, "--page-out") == 0) {
			options.page_out = true;
			continue;
		}
		const char *value = words[++i];
		if (!value) fail(USAGE, "no such option, or it has no value: %s", name);
		if (strcmp(name, "--record") == 0) options.record = number(name, value, 1, INT64_MAX);
		else if (strcmp(name, "--ahead") == 0) options.ahead = number(name, value, 1, INT64_MAX);
		else if (strcmp(name, "--tick") == 0) options.tick_ms = number(name, value, 1, 60000);
		else if (strcmp(name, "--log") == 0) {
			options.log = fopen(value, "w");
			if (!options.log) fail(FAILED, "%s: %s", value, strerror(errno));
		} else fail(USAGE, "no such option: %s", name);
	}
	if (options.record && (options.write_first || options.page_out)) {
		fail(USAGE, "--write-first and --page-out go with playing");
	}
}

int main(int count, char **words)
{
	read_options(count, words);
	open_device();
	if (options.record) run_recording();
	else run_playback();
	if (close(ring.fd) < 0) fail(FAILED, "close: %s", strerror(errno));
	if (options.log && fclose(options.log) != 0) fail(FAILED, "the log: %s", strerror(errno));

	printf("{\"ring_bytes\":%lld,\"fragment_bytes\":%lld,\"pointer_bytes\":%lld,\"looks\":%ld,"
	       "\"refills\":%ld,\"late_refills\":%ld,\"min_lead_bytes\":%lld,\"disagreements\":%ld",
	       ring.length, ring.fragment, ring.pointer, seen.looks, seen.refills, seen.late,
	       seen.min_lead, seen.disagreements);
	if (options.write_first) {
		printf(",\"writes\":[%ld,%ld,%ld]", seen.writes[0], seen.writes[1], seen.writes[2]);
	}
	if (options.page_out) printf(",\"pages_out\":%ld", seen.pages_out);
	printf("}\n");
	return DONE;
}
