// Programs that map the device and play in real time, or write the same sound, to measure what that
// costs; and one that marks its mapping and waits until the marks are in the sink's file.
//
// Usage: mapped_load DEVICE mapped|written STREAMS SECONDS
//        mapped_load DEVICE marks COUNT FILE
//
// All play 48 kHz stereo S16 through a ring of 16 fragments of 1024 frames.
//
//   mapped   each stream is a process that looks at GETOPTR once a fragment, and puts new sound
//            where the pointer has passed
//   written  each stream is a process that writes a fragment at a time, and waits for room
//   marks    one stream of silence, mapped, whose sink is FILE: puts a number into the first frame
//            of the next fragment that can still be changed, and waits until FILE holds it
//
// Standard output is one line of JSON. Lengths are in fragments.
//
//   mapped, written
//     cpu       the processes' CPU time in seconds
//     played    by all streams, as GETOPTR has it at the end
//     refilled  put into the mappings after the start, or written
//     late      how often a pointer went past what had been refilled
//     behind    how far the stream that is furthest behind the time is behind it: what was missed
//     stalls    how often the machine let a process that only naps wait for longer than ossp can:
//               what is missed at such times is not ossp's
//   marks, a number for each mark
//     heard     from the pointer at the time of the store to the frame in which the mark is heard
//     filed     from the store to the moment when the mark can be read in FILE
//
// Exit status: 0 done; 1 a call failed, or a mark was not heard; 2 usage.

#include <errno.h>
#include <fcntl.h>
#include <linux/soundcard.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	RATE_HZ = 48000,
	FRAME = 4, // bytes, as all that follow
	FRAGMENT_SHIFT = 12,
	FRAGMENT = 1 << FRAGMENT_SHIFT,
	FRAGMENTS = 16,
	RING = FRAGMENTS * FRAGMENT,
	LEAD_MS = 4, // ossp's --mmap-lead, as it begins
	MARK_LIMIT_MS = 2000,
	NAP_MS = 2,
};

// A fragment is fetched so long before its time, unless one has come too late.
static const int LEAD = RATE_HZ * FRAME / 1000 * LEAD_MS;

static const double FRAGMENT_NS = 1e9 * FRAGMENT / FRAME / RATE_HZ;

// Marks come at every part of a fragment alike, and none before the last one has been heard.
static const double MARK_INTERVAL = 3.618034; // fragments

static const char *device;
static unsigned char sound[RING];

/* A device that plays from a ring. */
struct stream {
	int fd;
	unsigned char *ring; // of a mapping
	double started; // in ns
	long long pointer; // bytes played since then
	uint32_t counter; // GETOPTR's, when the pointer was there
};

/* What a process says of its stream, in bytes. */
struct result {
	long long played, refilled, late;
	double behind;
};

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "mapped_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void sleep_until(double ns)
{
	struct timespec t = { ns / 1e9, (long long) ns % 1000000000 };
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR);
}

static void open_stream(struct stream *stream)
{
	int fragments = FRAGMENTS << 16 | FRAGMENT_SHIFT, format = AFMT_S16_LE, stereo = 1;
	int rate = RATE_HZ;
	// Both ways: a shared writable mapping needs a descriptor that can read.
	int fd = stream->fd = open(device, O_RDWR);
	if (fd < 0 || ioctl(fd, SNDCTL_DSP_SETFRAGMENT, &fragments) < 0 ||
	    ioctl(fd, SNDCTL_DSP_SETFMT, &format) < 0 || ioctl(fd, SNDCTL_DSP_STEREO, &stereo) < 0 ||
	    ioctl(fd, SNDCTL_DSP_SPEED, &rate) < 0) {
		fail(device);
	}
}

/* Maps the ring, fills it with the sound and starts it. */
static void start_mapping(struct stream *stream)
{
	int stopped = 0, started = PCM_ENABLE_OUTPUT;
	stream->ring = mmap(NULL, RING, PROT_READ | PROT_WRITE, MAP_SHARED, stream->fd, 0);
	if (stream->ring == MAP_FAILED) fail("mmap");
	if (ioctl(stream->fd, SNDCTL_DSP_SETTRIGGER, &stopped) < 0) fail("SETTRIGGER");
	memcpy(stream->ring, sound, RING);
	if (ioctl(stream->fd, SNDCTL_DSP_SETTRIGGER, &started) < 0) fail("SETTRIGGER");
	stream->started = now();
}

static void look(struct stream *stream)
{
	count_info info;
	if (ioctl(stream->fd, SNDCTL_DSP_GETOPTR, &info) < 0) fail("GETOPTR");
	stream->pointer += (uint32_t) info.bytes - stream->counter;
	stream->counter = info.bytes;
}

static void play_mapped(struct stream *stream, double end, struct result *result)
{
	long long filled = RING;
	start_mapping(stream);
	for (double tick = stream->started + FRAGMENT_NS; tick < end; tick += FRAGMENT_NS) {
		sleep_until(tick);
		look(stream);
		if (stream->pointer > filled) {
			result->late++;
			filled = stream->pointer;
		}
		while (filled < stream->pointer + RING) {
			size_t at = filled % RING, length = stream->pointer + RING - filled;
			if (length > RING - at) length = RING - at;
			// Not what was there the last time round.
			size_t from = (filled + filled / RING * FRAGMENT) % RING;
			if (length > RING - from) length = RING - from;
			memcpy(stream->ring + at, sound + from, length);
			filled += length;
			result->refilled += length;
		}
	}
}

static void play_written(struct stream *stream, double end, struct result *result)
{
	stream->started = now();
	while (now() < end) {
		if (write(stream->fd, sound, FRAGMENT) != FRAGMENT) fail("write");
		result->refilled += FRAGMENT;
	}
}

/* One process: a stream from now on for some seconds. */
static void play(double seconds, int maps, struct result *result)
{
	struct stream stream = { 0 };
	open_stream(&stream);
	(maps ? play_mapped : play_written)(&stream, now() + seconds * 1e9, result);
	look(&stream);
	result->behind = (now() - stream.started) / FRAGMENT_NS * FRAGMENT - stream.pointer;
	result->played = stream.pointer;
	if (maps) munmap(stream.ring, RING);
	else ioctl(stream.fd, SNDCTL_DSP_RESET, 0);
	close(stream.fd);
}

/* Naps until all processes have ended; how often a nap was too long. */
static long await_children(void)
{
	int status;
	long stalls = 0;
	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid < 0) return stalls;
		if (pid > 0 && status != 0) exit(1);
		if (pid > 0) continue;
		double due = now() + NAP_MS * 1e6;
		sleep_until(due);
		if (now() - due > LEAD_MS * 1e6) stalls++;
	}
}

static void load(int streams, double seconds, int maps)
{
	size_t bytes = streams * sizeof(struct result);
	struct result all = { 0 }, *results;
	results = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED) fail("mmap");
	double start = now();
	for (int i = 0; i < streams; i++) {
		// Programs do not start in step; when these do is the same each time.
		sleep_until(start + i * FRAGMENT_NS / streams);
		pid_t pid = fork();
		if (pid < 0) fail("fork");
		if (pid == 0) {
			play(seconds, maps, &results[i]);
			exit(0);
		}
	}
	long stalls = await_children();
	for (int i = 0; i < streams; i++) {
		all.played += results[i].played;
		all.refilled += results[i].refilled;
		all.late += results[i].late;
		if (results[i].behind > all.behind) all.behind = results[i].behind;
	}
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
	             (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf("{\"cpu\":%.4f,\"played\":%.1f,\"refilled\":%.1f,\"late\":%lld,\"behind\":%.3f,"
	       "\"stalls\":%ld}\n",
	       cpu, all.played / (double) FRAGMENT, all.refilled / (double) FRAGMENT, all.late,
	       all.behind / FRAGMENT, stalls);
}

/* The file that the sink has just made, watched for what it grows by. */
static int open_file(const char *path, int watch)
{
	int file;
	double limit = now() + MARK_LIMIT_MS * 1e6;
	while ((file = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		if (errno != ENOENT || now() > limit) fail(path);
		usleep(1000);
	}
	if (inotify_add_watch(watch, path, IN_MODIFY) < 0) fail(path);
	return file;
}

/* Reads on in a file from a position until a frame is the mark; the position then follows it. */
static void await_mark(int file, int watch, uint32_t mark, long long *position)
{
	static uint32_t frames[RING / FRAME];
	char events[4096];
	struct pollfd changed = { .fd = watch, .events = POLLIN };
	double limit = now() + MARK_LIMIT_MS * 1e6;
	for (;;) {
		ssize_t length = pread(file, frames, sizeof frames, *position);
		if (length < 0) fail("the sink's file");
		for (int i = 0; i < length / FRAME; i++) {
			*position += FRAME;
			if (frames[i] == mark) return;
		}
		if (length >= FRAME) continue;
		// The ring goes round and round: the file grows, heard or not.
		if (now() > limit || poll(&changed, 1, MARK_LIMIT_MS) <= 0) {
			errno = ETIMEDOUT;
			fail("a mark is not heard");
		}
		// What comes after this is told of again.
		if (read(watch, events, sizeof events) < 0) fail("inotify");
	}
}

static void print_list(const char *name, const double *values, int count)
{
	printf("\"%s\":[", name);
	for (int i = 0; i < count; i++) printf("%s%.4f", i > 0 ? "," : "", values[i]);
	printf("]");
}

static void marks(int count, const char *path)
{
	struct stream stream = { 0 };
	long long position = 0;
	double *heard = calloc(count, sizeof *heard), *filed = calloc(count, sizeof *filed);
	int watch = inotify_init1(IN_CLOEXEC);
	if (watch < 0) fail("inotify");
	memset(sound, 0, sizeof sound);
	open_stream(&stream);
	start_mapping(&stream);
	int file = open_file(path, watch);
	for (int i = 0; i < count; i++) {
		uint32_t mark = i + 1;
		sleep_until(stream.started + (i + 1) * MARK_INTERVAL * FRAGMENT_NS);
		look(&stream);
		// Fragments are fetched one at a time: this is the first one that can still be changed.
		// Where the lead has grown, or a fetch comes before the store, it is the next one.
		long long place = (stream.pointer + LEAD + FRAGMENT - 1) / FRAGMENT * FRAGMENT;
		for (int fragment = 0; fragment < 2; fragment++, place += FRAGMENT) {
			*(volatile uint32_t *) (stream.ring + place % RING) = mark;
		}
		double stored = now();
		await_mark(file, watch, mark, &position);
		filed[i] = (now() - stored) / FRAGMENT_NS;
		heard[i] = (position - FRAME - stream.pointer) / (double) FRAGMENT;
	}
	printf("{");
	print_list("heard", heard, count);
	printf(",");
	print_list("filed", filed, count);
	printf("}\n");
}

int main(int argc, char **argv)
{
	const char *kind = argc == 5 ? argv[2] : "";
	device = argv[1];
	for (int i = 0; i < RING; i++) sound[i] = (i ^ i >> 8) * 7;
	if (!strcmp(kind, "mapped") || !strcmp(kind, "written"))
		load(atoi(argv[3]), atof(argv[4]), !strcmp(kind, "mapped"));
	else if (!strcmp(kind, "marks"))
		marks(atoi(argv[3]), argv[4]);
	else
		return fprintf(stderr, "usage: mapped_load DEVICE mapped|written STREAMS SECONDS\n"
		                       "       mapped_load DEVICE marks COUNT FILE\n"), 2;
	return 0;
}
