/* A hostile OSS client: several processes of several threads make random system calls on the same
 * few descriptors of the devices, with wrong sizes, wrong pointers and signals in between. A thread
 * of each process watches the others: it interrupts what sleeps, and what then does not return is a
 * failure.
 *
 * Usage: fuzz_client SEED CALLS DSP MIXER REQUEST...
 *   CALLS     how many calls all threads make together
 *   REQUEST   the ioctl numbers that the devices know, in any base that strtoul(3) reads
 *
 * Exit status: 0; 1 when a call did not return, which standard error names; 2 when it cannot start. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/soundcard.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  PROCESSES = 3,
  THREADS = 3,
  DESCRIPTORS = 8,         /* of a process, shared by its threads */
  MOST_DESCRIPTORS = 256,  /* that a process can have, with those whose number was overwritten */
  MAX_TRANSFER = 200000,   /* bytes of a read or write */
  WATCH_MS = 2,            /* between two looks at the threads */
  PATIENCE_MS = 30,        /* the longest that a sleeping call is left alone */
  HANG_MS = 1500,          /* from then on it should have returned long ago */
};

struct random {
  uint32_t state;
};

/* What a thread is doing, for the watcher. */
struct caller {
  pthread_t thread;
  struct random random;
  unsigned long calls;
  _Atomic(const char *) name;  /* NULL between calls */
  _Atomic uint64_t detail;     /* the ioctl number, or the length */
  _Atomic long started_ms;
  _Atomic long patience_ms;
  _Atomic int done;
};

static const char *devices[2];
static unsigned long *requests;
static int request_count;
static struct caller callers[THREADS];
static atomic_int descriptors[DESCRIPTORS];
static unsigned char *memory;    /* MAX_TRANSFER bytes, then a page that is not there */
static unsigned char *readonly_page;
static long page_bytes;

static uint32_t next(struct random *random)
{
  uint32_t mixed = random->state += 0x9e3779b9;

  mixed = (mixed ^ mixed >> 16) * 0x21f0aaad;
  mixed = (mixed ^ mixed >> 15) * 0x735a2d97;
  return mixed ^ mixed >> 15;
}

static uint32_t below(struct random *random, uint32_t limit)
{
  return (uint64_t)next(random) * limit >> 32;
}

static uint32_t edge(struct random *random)
{
  static const uint32_t edges[] = {
    0, 1, 2, 3, 4, 8, 16, 0x10, 0x1000, 8000, 48000, 0x7fff, 0x8000, 0xffff, 0x10000,
    0x7fff0004, 0x00020010, 0x7fffffff, 0x80000000, 0xffffffff,
  };

  return below(random, 2) ? edges[below(random, sizeof edges / sizeof *edges)]
                          : next(random) >> below(random, 32);
}

static long now_ms(void)
{
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void nothing(int signal)
{
  (void)signal;
}

/* Without SA_RESTART: the handler makes a call that sleeps return. */
static void handle(int signal)
{
  struct sigaction action = { .sa_handler = nothing };

  sigaction(signal, &action, NULL);
}

/* For where no thread watches. */
static void interrupt_often(void)
{
  struct itimerval often = { .it_interval.tv_usec = 5000, .it_value.tv_usec = 5000 };

  setitimer(ITIMER_REAL, &often, NULL);
}

static void begin(struct caller *caller, const char *name, uint64_t detail)
{
  caller->detail = detail;
  caller->patience_ms = below(&caller->random, PATIENCE_MS);
  caller->started_ms = now_ms();
  caller->name = name;
}

static void end(struct caller *caller)
{
  caller->name = NULL;
}

/* A place for `length` bytes, in one call of ten one that is not (all) there, or not to be written. */
static void *buffer(struct random *random, size_t length)
{
  switch (below(random, 50)) {
  case 0:
    return NULL;
  case 1:
    return (void *)(uintptr_t)next(random);
  case 2:
    return readonly_page;
  case 3: /* the last bytes lie behind the end */
    return memory + MAX_TRANSFER - length / 2;
  case 4:
    return (void *)(~(uintptr_t)0 - below(random, 8192));
  default: /* up to the last byte */
    return memory + MAX_TRANSFER - length;
  }
}

static void open_one(struct caller *caller)
{
  static const int flags[] = {
    O_WRONLY, O_RDWR, O_WRONLY | O_NONBLOCK, O_RDWR | O_NONBLOCK, O_RDONLY, O_WRONLY | O_TRUNC,
    O_WRONLY | O_CREAT, O_RDWR | O_APPEND,
  };
  struct random *random = &caller->random;
  const char *path = devices[below(random, 5) == 0];
  int flag = flags[below(random, sizeof flags / sizeof *flags)];
  int slot = below(random, DESCRIPTORS);
  int fd, old;

  begin(caller, "open", flag);
  fd = open(path, flag | O_CLOEXEC, 0666);
  end(caller);
  old = atomic_exchange(&descriptors[slot], fd);
  if (old < 0)
    return;
  begin(caller, "close", old);
  close(old);
  end(caller);
}

static void ioctl_one(struct caller *caller, int fd)
{
  struct random *random = &caller->random;
  unsigned long request = requests[below(random, request_count)];
  size_t length;
  unsigned char *argument;

  switch (below(random, 10)) {
  case 0: /* another size */
    request = (request & ~(0x3fffUL << 16)) | (unsigned long)below(random, 0x4000) << 16;
    break;
  case 1: /* another direction */
    request ^= (unsigned long)(1 + below(random, 3)) << 30;
    break;
  case 2: /* another number */
    request = (request & ~0xffUL) | below(random, 256);
    break;
  case 3: /* anything, and what the kernel answers by itself */
    request = below(random, 2) ? next(random) : (unsigned long)FIONREAD - 27 + below(random, 60);
    break;
  }
  length = request >> 16 & 0x3fff;
  argument = buffer(random, length < 4 ? 4 : length);
  if (argument >= memory && argument <= memory + MAX_TRANSFER - length) {
    /* Structs begin with numbers of devices, controls and groups, of which there are few. */
    for (size_t i = 0; i + 4 <= length && i < 64; i += 4) {
      uint32_t value = i == 0 || below(random, 4) ? edge(random) : below(random, 3);

      memcpy(argument + i, &value, sizeof value);
    }
  }
  begin(caller, "ioctl", request);
  ioctl(fd, request, argument);
  end(caller);
}

static void write_one(struct caller *caller, int fd)
{
  struct random *random = &caller->random;
  size_t length = below(random, 3) ? below(random, 5000) : below(random, MAX_TRANSFER + 1);
  struct iovec parts[3];

  if (below(random, 8)) {
    begin(caller, "write", length);
    if (write(fd, buffer(random, length), length) < 0 && errno == EPIPE)
      usleep(1);
    end(caller);
    return;
  }
  for (int i = 0; i < 3; i++) {
    parts[i].iov_len = below(random, 5000);
    parts[i].iov_base = buffer(random, parts[i].iov_len);
  }
  begin(caller, "writev", 3);
  writev(fd, parts, 3);
  end(caller);
}

static void wait_for_one(struct caller *caller, int fd)
{
  struct random *random = &caller->random;
  int timeout_ms = below(random, 10);

  if (below(random, 2)) {
    struct pollfd polled = { .fd = fd, .events = next(random) };

    begin(caller, "poll", timeout_ms);
    poll(&polled, 1, timeout_ms);
  } else {
    struct timeval timeout = { .tv_usec = timeout_ms * 1000 };
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    begin(caller, "select", timeout_ms);
    select(fd + 1, NULL, &set, NULL, &timeout);
  }
  end(caller);
}

/* A child that shares the descriptors, uses them, and ends by itself or is killed at any point. */
static void fork_one(struct caller *caller, int fd)
{
  struct random *random = &caller->random;
  int mine = below(random, 2);
  int killed = below(random, 2);
  struct timespec pause = { .tv_nsec = below(random, 5000000) };
  pid_t child;

  begin(caller, "fork", 0);
  child = fork();
  end(caller);
  if (child == 0) {
    signal(SIGTERM, SIG_DFL);
    interrupt_often();
    if (mine)
      fd = open(devices[0], O_WRONLY);
    if (write(fd, memory, below(random, 20000)) < 0 && errno == EBADF)
      _exit(0);
    if (below(random, 2))
      ioctl(fd, SNDCTL_DSP_SYNC, NULL);
    if (below(random, 2))
      close(fd);
    _exit(0);
  }
  if (child < 0)
    return;
  if (killed) {
    nanosleep(&pause, NULL);
    kill(child, below(random, 2) ? SIGKILL : SIGTERM);
  }
  begin(caller, killed ? "wait for a killed child" : "wait for a child", child);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
    ;
  end(caller);
}

static void call_one(struct caller *caller)
{
  struct random *random = &caller->random;
  int slot = below(random, DESCRIPTORS);
  int fd = descriptors[slot];
  int dice = below(random, 100);
  size_t length;
  struct stat status;

  if (fd < 0 || dice < 8) {
    open_one(caller);
  } else if (dice < 50) {
    ioctl_one(caller, fd);
  } else if (dice < 75) {
    write_one(caller, fd);
  } else if (dice < 83) {
    wait_for_one(caller, fd);
  } else if (dice < 87) {
    length = below(random, MAX_TRANSFER + 1);
    begin(caller, "read", length);
    if (read(fd, buffer(random, length), length) < 0)
      errno = 0;
    end(caller);
  } else if (dice < 89) {
    begin(caller, "dup", fd);
    fd = dup(fd);
    end(caller);
    fd = atomic_exchange(&descriptors[below(random, DESCRIPTORS)], fd);
    begin(caller, "close", fd);
    close(fd);
    end(caller);
  } else if (dice < 92) {
    begin(caller, "close", fd);
    close(fd); /* the number stays: the other threads go on with it */
    end(caller);
    if (below(random, 2))
      atomic_compare_exchange_strong(&descriptors[slot], &fd, -1);
  } else if (dice < 93) {
    begin(caller, "fsync", fd);
    fsync(fd);
    end(caller);
  } else if (dice < 95) {
    begin(caller, "fcntl", fd);
    fcntl(fd, F_SETFL, below(random, 2) ? O_NONBLOCK : 0);
    end(caller);
  } else if (dice < 97) {
    void *map;

    begin(caller, "mmap", fd);
    map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, below(random, 2) ? MAP_SHARED : MAP_PRIVATE, fd,
               0);
    end(caller);
    if (map != MAP_FAILED)
      munmap(map, 65536);
  } else if (dice < 98) {
    begin(caller, "stat", fd);
    fstat(fd, &status);
    stat(devices[0], &status);
    lseek(fd, edge(random), SEEK_SET);
    if (ftruncate(fd, edge(random)) < 0)
      errno = 0;
    end(caller);
  } else {
    fork_one(caller, fd);
  }
}

static void *run(void *argument)
{
  struct caller *caller = argument;

  for (unsigned long i = 0; i < caller->calls; i++)
    call_one(caller);
  caller->done = 1;
  return NULL;
}

/* Interrupts calls that sleep; ends the process when one does not wake. */
static int watch(struct random *random)
{
  for (;;) {
    int done = 0;

    usleep(WATCH_MS * 1000);
    for (int i = 0; i < THREADS; i++) {
      struct caller *caller = &callers[i];
      const char *name = caller->name;
      long age_ms = now_ms() - caller->started_ms;

      done += caller->done;
      if (caller->done || !name || name != caller->name)
        continue;
      if (age_ms > HANG_MS + caller->patience_ms) {
        fprintf(stderr, "fuzz_client: %s (%#lx) has not returned after %ld ms, interrupted all along\n",
                name, (unsigned long)caller->detail, age_ms);
        return 1;
      }
      if (age_ms > caller->patience_ms || below(random, 100) == 0)
        pthread_kill(caller->thread, below(random, 2) ? SIGUSR1 : SIGALRM);
    }
    if (done == THREADS)
      return 0;
  }
}

static int run_process(uint32_t seed, unsigned long calls)
{
  struct random random = { seed };
  int status;

  for (int i = 0; i < DESCRIPTORS; i++)
    descriptors[i] = -1;
  handle(SIGUSR1);
  handle(SIGALRM);
  for (int i = 0; i < THREADS; i++) {
    callers[i].random.state = next(&random);
    callers[i].calls = calls / THREADS;
    if (pthread_create(&callers[i].thread, NULL, run, &callers[i]) != 0)
      return 2;
  }
  status = watch(&random);
  /* An exit waits for the sound as close(2) does, but no signal ends that wait. */
  interrupt_often();
  for (int fd = 3; fd < MOST_DESCRIPTORS; fd++)
    close(fd);
  return status;
}

/* All mixers are one and the same, and the sound after this is to be as it was before. */
static int reset_mixer(void)
{
  int fd = open(devices[1], O_RDWR);
  int full = 100 | 100 << 8;

  if (fd < 0 || ioctl(fd, SOUND_MIXER_WRITE_VOLUME, &full) < 0)
    return -1;
  full = 100 | 100 << 8;
  return ioctl(fd, SOUND_MIXER_WRITE_PCM, &full);
}

int main(int argc, char **argv)
{
  uint32_t seed;
  unsigned long calls;
  int status = 0;

  if (argc < 6)
    return 2;
  seed = strtoul(argv[1], NULL, 0);
  calls = strtoul(argv[2], NULL, 0);
  devices[0] = argv[3];
  devices[1] = argv[4];
  request_count = argc - 5;
  requests = calloc(request_count, sizeof *requests);
  page_bytes = sysconf(_SC_PAGESIZE);
  memory = mmap(NULL, MAX_TRANSFER / page_bytes * page_bytes + 3 * page_bytes,
                PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  readonly_page = mmap(NULL, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!requests || memory == MAP_FAILED || readonly_page == MAP_FAILED)
    return 2;
  for (int i = 0; i < request_count; i++)
    requests[i] = strtoul(argv[5 + i], NULL, 0);
  /* The buffer ends where a page that is not there begins. */
  memory += page_bytes - MAX_TRANSFER % page_bytes;
  munmap(memory + MAX_TRANSFER, page_bytes);

  for (int i = 0; i < PROCESSES; i++) {
    pid_t child = fork();

    if (child < 0)
      return 2;
    if (child == 0)
      _exit(run_process(seed + i * 0x10001, calls / PROCESSES));
  }
  for (int i = 0; i < PROCESSES; i++) {
    int ended;

    if (wait(&ended) < 0)
      return 2;
    if (ended != 0 && status == 0) {
      if (WIFSIGNALED(ended))
        fprintf(stderr, "fuzz_client: killed by signal %d\n", WTERMSIG(ended));
      status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 1;
    }
  }
  if (reset_mixer() < 0) {
    fprintf(stderr, "fuzz_client: %s: %s\n", devices[1], strerror(errno));
    if (status == 0)
      status = 1;
  }
  return status;
}
