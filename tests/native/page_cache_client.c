// A program with a shared mapping of a device, whose server tells it what to do with it: one step
// an ioctl, which also says how the last step went. Between two steps it touches nothing.
//
// Usage: page_cache_client DEVICE PAGES normal|random
//
//   random   tells the kernel not to read pages ahead
//
// Exit status: 0 told to end; 1 a call failed.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_PAGES = 32 };

enum kind { START, STORE, LOAD, SYNC, PAGE_OUT, END };

/* One step; page_cache_test.ts has it too. */
struct step {
	uint32_t kind;
	uint32_t offset;
	uint32_t length;
	uint32_t value; // what is to be stored, then what was loaded
	uint32_t cached; // then: bit i says that page i is in the cache and up to date
};

#define NEXT_STEP _IOWR('P', 1, struct step)

static volatile unsigned char *ring;
static size_t ring_bytes, page_bytes;

static void check(int succeeded, const char *call)
{
	if (succeeded) return;
	fprintf(stderr, "page_cache_client: %s: %s\n", call, strerror(errno));
	exit(1);
}

static uint32_t cached_pages(void)
{
	unsigned char pages[MOST_PAGES];
	uint32_t bits = 0;
	check(mincore((void *) ring, ring_bytes, pages) == 0, "mincore");
	for (size_t i = 0; i < ring_bytes / page_bytes; i++) bits |= (uint32_t) (pages[i] & 1) << i;
	return bits;
}

static void take(struct step *step)
{
	void *place = (void *) (ring + step->offset);
	switch (step->kind) {
	case STORE:
		ring[step->offset] = step->value;
		break;
	case LOAD:
		step->value = ring[step->offset];
		break;
	case SYNC:
		check(msync(place, step->length, MS_SYNC) == 0, "msync");
		break;
	case PAGE_OUT:
		check(madvise(place, step->length, MADV_PAGEOUT) == 0, "madvise");
		break;
	}
}

int main(int count, char **words)
{
	int pages = count == 4 ? atoi(words[2]) : 0;
	errno = EINVAL;
	check(pages > 0 && pages <= MOST_PAGES, "usage: page_cache_client DEVICE PAGES normal|random");
	int fd = open(words[1], O_RDWR);
	check(fd >= 0, words[1]);
	page_bytes = sysconf(_SC_PAGESIZE);
	ring_bytes = pages * page_bytes;
	ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(ring != MAP_FAILED, "mmap");
	int advice = strcmp(words[3], "random") == 0 ? MADV_RANDOM : MADV_NORMAL;
	check(madvise((void *) ring, ring_bytes, advice) == 0, "madvise");

	struct step step = { .kind = START };
	for (;;) {
		step.cached = cached_pages();
		check(ioctl(fd, NEXT_STEP, &step) == 0, "ioctl");
		if (step.kind == END) return 0;
		take(&step);
	}
}
