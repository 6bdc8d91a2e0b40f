// What it costs to reach a program's mapping through the kernel's page cache: a minimal FUSE server
// with one file, and a client that maps it, writes to it and waits for the next step in an ioctl.
// Both share a processor: with one each, a round trip takes as long as an idle processor takes to
// wake, which differs by a factor of five from one minute to the next.
//
// Usage: page_cache FOLDER     mounts on FOLDER and unmounts at the end, however it ends
//
// Standard output is one line of JSON. Times are medians in nanoseconds; the clock's own, about 25,
// is in all but memcpy's.
//
//   sizes    for each number of bytes:
//     retrieve   NOTIFY_RETRIEVE written and its NOTIFY_REPLY read, all pages being in the cache
//     store      NOTIFY_STORE written
//     memcpy     as many bytes copied by the server, out of 1 MiB in order
//     write      write(2), as the client sees it
//     splice     how much longer it takes through a pipe, as a ratio to the time without one:
//                takeWrite and takeReply are the server's taking in of a WRITE request and of a
//                NOTIFY_REPLY that are there already, store is NOTIFY_STORE
//   faults   a ring of 1 MiB, page by page, for each max_readahead that INIT can be answered with:
//     touch      first write to a page of the mapping
//     writeback  msync of all pages, for each of them
//     retouch    first write to a page after that
//     anonymous  first write to a page of ordinary memory: what a fault costs on this machine
//     reads, writes   requests that one such round brings
//
// Exit status: 0 done; 1 something failed, or data came out that was not put in.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef FUSE_DIRECT_IO_ALLOW_MMAP // Linux 6.6
#define FUSE_DIRECT_IO_ALLOW_MMAP (1ULL << 36)
#endif

enum {
	RING = 1 << 20,
	ROUNDS = 1024, // of the smallest size they go through the whole ring
	RING_ROUNDS = 25, // of what goes through the whole ring each time
	MAX_WRITE = 128 * 1024,
	READ_AHEAD = 128 * 1024, // what kernels offer
	LIMIT_SECONDS = 60,
	PROCESSOR = 0,
	// What comes before the data, of a WRITE request and of a NOTIFY_REPLY.
	HEAD = sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in),
};
_Static_assert(sizeof(struct fuse_write_in) == sizeof(struct fuse_notify_retrieve_in), "one HEAD");

static const size_t sizes[] = { 1024, 4096, 16384, 65536 };

/* An ioctl of our file that is answered when the client is to take the next step. */
#define NEXT_STEP _IO('B', 1)

enum step {
	MAP, // map a new file, and put the sound into every page
	COMPARE, // the mapping holds the sound
	WRITE, // write to a new file, `count` times
	FAULT, // map a new file, touch, write back and touch again each page
	QUIT,
};

/* What server and client share. */
static struct {
	enum step step;
	size_t bytes; // of one write
	int count;
	double times[2 * ROUNDS]; // of the writes
	double touch, writeback, retouch, anonymous; // of one page
	unsigned char sound[RING]; // what is in the mapped ring
} *shared;

static const char *folder;
static _Atomic bool mounted;
static size_t page;

static void unmount(void)
{
	// MNT_FORCE ends the requests that wait, and with them whoever waits in the kernel.
	if (mounted) umount2(folder, MNT_FORCE | MNT_DETACH);
	mounted = false;
}

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "page_cache: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
	unmount();
	_exit(1);
}

/* Fails with errno if a call did; any other result but `wanted` is no less wrong. */
static void expect(const char *what, ssize_t result, ssize_t wanted)
{
	if (result >= 0) errno = 0;
	if (result != wanted) fail(what);
}

static double now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	double difference = *(const double *) a - *(const double *) b;
	return (difference > 0) - (difference < 0);
}

/* Sorts the values. */
static double median(double *values, int count)
{
	qsort(values, count, sizeof *values, ascending);
	return values[count / 2];
}

static void *map(int flags, int file, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, file, 0);
	if (memory == MAP_FAILED) fail("mmap");
	return memory;
}

/* Where the span of a round begins: spans go round the ring. */
static size_t span(int round, size_t bytes)
{
	return round * bytes % RING;
}

// The client.

static int open_file(void)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/dsp", folder);
	int file = open(path, O_RDWR);
	if (file < 0) fail(path);
	return file;
}

static void write_sound(void)
{
	int file = open_file();
	for (int i = 0; i < shared->count; i++) {
		const unsigned char *data = shared->sound + span(i, shared->bytes);
		double start = now_ns();
		ssize_t written = write(file, data, shared->bytes);
		shared->times[i] = now_ns() - start;
		expect("write", written, shared->bytes);
	}
	close(file);
}

/* Writes to each page of a ring; nanoseconds a page. */
static double touch(volatile unsigned char *ring, unsigned char value)
{
	double start = now_ns();
	for (size_t at = 0; at < RING; at += page) ring[at] = value;
	return (now_ns() - start) * page / RING;
}

static void fault(void)
{
	unsigned char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1, RING);
	shared->anonymous = touch(memory, 1);
	munmap(memory, RING);

	int file = open_file();
	unsigned char *ring = map(MAP_SHARED, file, RING);
	shared->touch = touch(ring, 1);
	double start = now_ns();
	expect("msync", msync(ring, RING, MS_SYNC), 0);
	shared->writeback = (now_ns() - start) * page / RING;
	shared->retouch = touch(ring, 2);
	munmap(ring, RING);
	close(file);
}

static void __attribute__((noreturn)) client(void)
{
	int control = open_file();
	unsigned char *ring = NULL;
	for (;;) {
		expect("NEXT_STEP", ioctl(control, NEXT_STEP), 0);
		switch (shared->step) {
		case MAP:
			ring = map(MAP_SHARED, open_file(), RING);
			memcpy(ring, shared->sound, RING);
			break;
		case COMPARE:
			expect("what was stored", memcmp(ring, shared->sound, RING) != 0, 0);
			break;
		case WRITE:
			write_sound();
			break;
		case FAULT:
			fault();
			break;
		case QUIT:
			_exit(0);
		}
	}
}

// The server.

static int fd; // /dev/fuse
static int tube[2]; // for splice
static uint32_t max_readahead; // what INIT is answered with
static uint64_t last_node, opened_node, ring_node; // looked up, opened, mapped
static uint64_t waiting; // unique of the client's NEXT_STEP, 0 while it takes one
static int reads, writes; // of the page cache
static _Alignas(64) unsigned char in[MAX_WRITE + FUSE_MIN_READ_BUFFER], out[RING];
static size_t length; // of what was read into `in`

static void answer(uint64_t unique, int error, size_t body)
{
	struct fuse_out_header *header = (void *) out;
	*header = (struct fuse_out_header) { sizeof *header + body, error, unique };
	if (write(fd, out, header->len) < 0 && errno != ENOENT) fail("answer");
}

static void put_attributes(struct fuse_attr *attr, uint64_t nodeid)
{
	attr->ino = nodeid;
	attr->size = nodeid == FUSE_ROOT_ID ? 0 : RING;
	attr->mode = nodeid == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666;
	attr->nlink = 1;
}

/* Serves what is in `in`. */
static void serve(void)
{
	const struct fuse_in_header *header = (void *) in;
	const void *request = header + 1;
	void *reply = out + sizeof(struct fuse_out_header);
	uint64_t unique = header->unique;
	memset(reply, 0, 256);
	switch (header->opcode) {
	case FUSE_INIT: {
		struct fuse_init_out *init = reply;
		init->major = 7;
		init->minor = 39;
		init->max_readahead = max_readahead;
		init->flags = FUSE_BIG_WRITES | FUSE_INIT_EXT;
		init->flags2 = FUSE_DIRECT_IO_ALLOW_MMAP >> 32;
		init->max_write = MAX_WRITE;
		init->time_gran = 1;
		return answer(unique, 0, sizeof *init);
	}
	case FUSE_LOOKUP: {
		struct fuse_entry_out *entry = reply;
		if (strcmp(request, "dsp") != 0) return answer(unique, -ENOENT, 0);
		// Each is a new node, so that each open has a page cache of its own.
		entry->nodeid = ++last_node;
		put_attributes(&entry->attr, entry->nodeid);
		return answer(unique, 0, sizeof *entry);
	}
	case FUSE_GETATTR:
	case FUSE_SETATTR: {
		struct fuse_attr_out *attr = reply;
		put_attributes(&attr->attr, header->nodeid);
		return answer(unique, 0, sizeof *attr);
	}
	case FUSE_OPEN: {
		struct fuse_open_out *open = reply;
		open->open_flags = FOPEN_DIRECT_IO | FOPEN_NONSEEKABLE | FOPEN_STREAM;
		opened_node = header->nodeid;
		return answer(unique, 0, sizeof *open);
	}
	case FUSE_READ: {
		size_t bytes = ((const struct fuse_read_in *) request)->size;
		memset(reply, 0, bytes);
		reads++;
		return answer(unique, 0, bytes);
	}
	case FUSE_WRITE: {
		const struct fuse_write_in *write = request;
		struct fuse_write_out *written = reply;
		if (write->write_flags & FUSE_WRITE_CACHE) writes++;
		written->size = write->size;
		return answer(unique, 0, sizeof *written);
	}
	case FUSE_IOCTL:
		waiting = unique;
		return;
	case FUSE_FLUSH:
	case FUSE_FSYNC:
	case FUSE_RELEASE:
		return answer(unique, 0, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
	case FUSE_NOTIFY_REPLY:
		return;
	default:
		return answer(unique, -ENOSYS, 0);
	}
}

static ssize_t read_spliced(void)
{
	ssize_t all = splice(fd, NULL, tube[1], NULL, sizeof in, 0);
	if (all < 0) return all;
	// In two parts: a server that knows by the head where the data has to go is what splice is for.
	ssize_t head = read(tube[0], in, HEAD);
	if (head == all) return all;
	ssize_t data = read(tube[0], in + HEAD, all - HEAD);
	return head < 0 || data < 0 ? -1 : head + data;
}

/* Takes in the next request or reply; nanoseconds. */
static double take(bool spliced)
{
	double start = now_ns();
	ssize_t count;
	do count = spliced ? read_spliced() : read(fd, in, sizeof in);
	while (count < 0 && (errno == EINTR || errno == ENOENT));
	double end = now_ns();
	if (count < (ssize_t) sizeof(struct fuse_in_header)) fail("reading a request");
	length = count;
	return end - start;
}

static uint32_t opcode(void)
{
	return ((const struct fuse_in_header *) in)->opcode;
}

/* The data that was taken in are these bytes of the sound. */
static void expect_sound(const char *what, size_t offset, size_t bytes)
{
	expect(what, length, HEAD + bytes);
	expect(what, memcmp(in + HEAD, shared->sound + offset, bytes) != 0, 0);
}

/* Lets the client take a step. */
static void let_go(enum step step)
{
	uint64_t unique = waiting;
	waiting = 0;
	shared->step = step;
	memset(out, 0, sizeof(struct fuse_out_header) + sizeof(struct fuse_ioctl_out));
	answer(unique, 0, sizeof(struct fuse_ioctl_out));
}

/* Serves until the client has taken its step. */
static void await_client(void)
{
	while (!waiting) {
		take(false);
		serve();
	}
}

static void have(enum step step)
{
	let_go(step);
	await_client();
}

/* Takes in the reply to a retrieval; nanoseconds. */
static double take_reply(bool spliced)
{
	double time = take(spliced);
	// Pages may be written back at any time.
	while (opcode() != FUSE_NOTIFY_REPLY) {
		serve();
		time = take(spliced);
	}
	return time;
}

/* Fetches the span of a round, all of it; `taking` is the time for the reply alone. */
static double retrieve(int round, size_t bytes, bool spliced, double *taking)
{
	size_t offset = span(round, bytes);
	struct {
		struct fuse_out_header header;
		struct fuse_notify_retrieve_out body;
	} question = {
		{ sizeof question, FUSE_NOTIFY_RETRIEVE, 0 },
		{ .notify_unique = round, .nodeid = ring_node, .offset = offset, .size = bytes },
	};
	double start = now_ns();
	expect("NOTIFY_RETRIEVE", write(fd, &question, sizeof question), sizeof question);
	*taking = take_reply(spliced);
	double end = now_ns();
	expect_sound("what was retrieved", offset, bytes);
	return end - start;
}

/*
 * Stores the span of a round. The kernel waits here for the page's lock: for ever if a READ of the
 * page is still to be answered by this thread, so MAP has to come first. No SPLICE_F_MOVE, which is
 * for pages that nobody has mapped.
 */
static double store(int round, size_t bytes, bool spliced)
{
	size_t offset = span(round, bytes);
	struct {
		struct fuse_out_header header;
		struct fuse_notify_store_out body;
	} head = {
		{ sizeof head + bytes, FUSE_NOTIFY_STORE, 0 },
		{ .nodeid = ring_node, .offset = offset, .size = bytes },
	};
	struct iovec parts[] = { { &head, sizeof head }, { shared->sound + offset, bytes } };
	ssize_t all = sizeof head + bytes, stored = all;
	double start = now_ns();
	if (spliced) {
		expect("vmsplice", vmsplice(tube[1], parts, 2, 0), all);
		stored = splice(tube[0], NULL, fd, NULL, all, 0);
	} else {
		stored = writev(fd, parts, 2);
	}
	double end = now_ns();
	expect("NOTIFY_STORE", stored, all);
	return end - start;
}

/* Copies the whole ring; nanoseconds for each span. */
static double copy(size_t bytes)
{
	double start = now_ns();
	for (size_t at = 0; at < RING; at += bytes) {
		memcpy(out, shared->sound + at, bytes);
		__asm__ volatile("" : : : "memory"); // or the compiler leaves it out
	}
	return (now_ns() - start) * bytes / RING;
}

/* Changes every byte of the sound; a store has to bring that into the mapping. */
static void change_sound(void)
{
	static unsigned char salt;
	salt++;
	for (int i = 0; i < RING; i++) shared->sound[i] = (i ^ i >> 8 ^ i >> 16) + salt;
}

static double times[2][ROUNDS]; // without a pipe, and through it

static double ratio(void)
{
	return median(times[1], ROUNDS) / median(times[0], ROUNDS);
}

static double write_time(size_t bytes)
{
	shared->bytes = bytes;
	shared->count = ROUNDS;
	have(WRITE);
	return median(shared->times, ROUNDS);
}

static double take_write_ratio(size_t bytes)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int taken = 0;
	shared->bytes = bytes;
	shared->count = 2 * ROUNDS;
	for (let_go(WRITE); !waiting; serve()) {
		// The time that the client takes to come is not to be counted.
		expect("poll", poll(&ready, 1, -1), 1);
		double time = take(taken % 2);
		if (opcode() != FUSE_WRITE) continue;
		expect_sound("what was written", span(taken, bytes), bytes);
		times[taken % 2][taken / 2] = time;
		taken++;
	}
	expect("writes taken", taken, shared->count);
	return ratio();
}

static double take_reply_ratio(size_t bytes)
{
	for (int i = 0; i < 2 * ROUNDS; i++) retrieve(i, bytes, i % 2, &times[i % 2][i / 2]);
	return ratio();
}

static double store_ratio(size_t bytes)
{
	for (int i = 0; i < 2 * ROUNDS; i++) times[i % 2][i / 2] = store(i, bytes, i % 2);
	return ratio();
}

static void measure_size(size_t bytes)
{
	double retrieves[ROUNDS], stores[ROUNDS], copies[RING_ROUNDS], taking;
	for (int i = 0; i < ROUNDS; i++) retrieves[i] = retrieve(i, bytes, false, &taking);
	double take_reply = take_reply_ratio(bytes);

	change_sound();
	for (int i = 0; i < ROUNDS; i++) stores[i] = store(i, bytes, false);
	have(COMPARE);
	change_sound();
	double stored = store_ratio(bytes);
	have(COMPARE);

	for (int i = 0; i < RING_ROUNDS; i++) copies[i] = copy(bytes);
	double written = write_time(bytes);
	double take_write = take_write_ratio(bytes);

	printf("{\"bytes\":%zu,\"retrieve\":%.0f,\"store\":%.0f,\"memcpy\":%.0f,\"write\":%.0f,"
	       "\"splice\":{\"takeWrite\":%.3f,\"takeReply\":%.3f,\"store\":%.3f}}",
	       bytes, median(retrieves, ROUNDS), median(stores, ROUNDS), median(copies, RING_ROUNDS),
	       written, take_write, take_reply, stored);
}

static void measure_faults(void)
{
	double touches[RING_ROUNDS], writebacks[RING_ROUNDS], retouches[RING_ROUNDS];
	double anonymous[RING_ROUNDS];
	for (int i = 0; i < RING_ROUNDS; i++) {
		reads = writes = 0;
		have(FAULT);
		touches[i] = shared->touch;
		writebacks[i] = shared->writeback;
		retouches[i] = shared->retouch;
		anonymous[i] = shared->anonymous;
	}
	printf("{\"readAhead\":%u,\"touch\":%.0f,\"writeback\":%.0f,\"retouch\":%.0f,"
	       "\"anonymous\":%.0f,\"reads\":%d,\"writes\":%d}",
	       max_readahead, median(touches, RING_ROUNDS), median(writebacks, RING_ROUNDS),
	       median(retouches, RING_ROUNDS), median(anonymous, RING_ROUNDS), reads, writes);
}

/* Mounts, and starts a client. */
static pid_t begin(uint32_t readahead)
{
	char options[128];
	max_readahead = readahead;
	last_node = FUSE_ROOT_ID;
	waiting = 0;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0) fail("/dev/fuse");
	snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=0,group_id=0", fd);
	mounted = true; // before it is, so that no signal comes between
	if (mount("bench", folder, "fuse.bench", MS_NOSUID | MS_NODEV, options) < 0) {
		mounted = false;
		fail(folder);
	}
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0) fail("fork");
	if (pid == 0) {
		// Or the connection would outlive the server, and the client wait for ever.
		close(fd);
		client();
	}
	await_client();
	return pid;
}

static void end(pid_t pid)
{
	let_go(QUIT);
	unmount();
	close(fd);
	int status;
	expect("waitpid", waitpid(pid, &status, 0), pid);
	expect("the client", status, 0);
}

/*
 * Unmounts and ends the program when it is late, told to end, or without a client. A thread of its
 * own: the server may be waiting in the kernel where no signal reaches it.
 */
static void *watch(void *signals)
{
	siginfo_t info;
	do sigwaitinfo(signals, &info);
	while (info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_status == 0);
	fprintf(stderr, "page_cache: ended by a signal: %s\n", strsignal(info.si_signo));
	unmount();
	_exit(1);
}

static void start_watch(void)
{
	static sigset_t signals;
	static const int ends[] = { SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGTERM };
	pthread_t thread;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) sigaddset(&signals, ends[i]);
	errno = pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (errno) fail("pthread_sigmask");
	errno = pthread_create(&thread, NULL, watch, &signals);
	if (errno) fail("pthread_create");
	alarm(LIMIT_SECONDS);
}

int main(int argc, char **argv)
{
	if (argc != 2) return fprintf(stderr, "usage: page_cache FOLDER\n"), 2;
	folder = argv[1];
	page = sysconf(_SC_PAGESIZE);
	shared = map(MAP_SHARED | MAP_ANONYMOUS, -1, sizeof *shared);
	change_sound();
	// With less room than the largest request needs, the kernel gives out none at all.
	if (pipe2(tube, O_CLOEXEC) < 0 || fcntl(tube[1], F_SETPIPE_SZ, 2 * MAX_WRITE) < 0) fail("pipe");
	start_watch();
	cpu_set_t processors;
	CPU_ZERO(&processors);
	CPU_SET(PROCESSOR, &processors);
	expect("one processor", sched_setaffinity(0, sizeof processors, &processors), 0);

	pid_t pid = begin(0);
	have(MAP);
	ring_node = opened_node;
	printf("{\"sizes\":[");
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		if (i > 0) printf(",");
		measure_size(sizes[i]);
	}
	printf("],\"faults\":[");
	measure_faults();
	end(pid);

	pid = begin(READ_AHEAD);
	printf(",");
	measure_faults();
	end(pid);
	printf("]}\n");
	return 0;
}
