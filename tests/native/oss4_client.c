/* A program that is written for OSS 4: it asks for the machine's devices, plays a second of sound on the
 * first, and looks at what OSS 4 tells of it. Compiled for 32 bits its structs are others.
 *
 * Usage: oss4_client DSP MIXER
 *
 * Prints "ok BITS", or what is wrong. Exit status: 0, or 1 when something is. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/soundcard.h>
#include <unistd.h>

/* What Linux's header has not; as OSS 4 has it. */

struct errinfo {
  int play_underruns, rec_overruns;
  unsigned play_ptradjust, rec_ptradjust;
  int play_errorcount, rec_errorcount, play_lasterror, rec_lasterror;
  long play_errorparm, rec_errorparm;
  int filler[16];
};

/* As OSS 4.2 has it. */
struct errinfo_42 {
  int counts[8];
  int play_errorparm, rec_errorparm;
  int filler[16];
};

struct count {
  long long samples;
  int fifo_samples;
  int filler[32];
};

struct syncgroup {
  int id, mode, filler[16];
};

struct sysinfo {
  char product[32], version[32];
  int versionnum;
  char options[128];
  int numaudios, openedaudio[8], numsynths, nummidis, numtimers, nummixers, openedmidi[8];
  int numcards, numaudioengines;
  char license[16], revision_info[256];
  int filler[172];
};

struct audioinfo {
  int dev;
  char name[64];
  int busy, pid, caps, iformats, oformats, magic;
  char cmd[64];
  int card_number, port_number, mixer_dev, legacy_device, enabled, flags;
  int min_rate, max_rate, min_channels, max_channels, binding, rate_source;
  char handle[32];
  unsigned nrates, rates[20];
  char song_name[64], label[16];
  int latency;
  char devnode[32];
  int next_play_engine, next_rec_engine, filler[184];
};

#define GETERROR _IOR('P', 25, struct errinfo)
#define GETERROR_42 _IOR('P', 25, struct errinfo_42)
#define SYNCGROUP _IOWR('P', 28, struct syncgroup)
#define SYNCSTART _IOW('P', 29, int)
#define HALT_OUTPUT _IO('P', 34)
#define LOW_WATER _IOW('P', 34, int)
#define CURRENT_OPTR _IOR('P', 36, struct count)
#define GET_CHNORDER _IOR('P', 42, unsigned long long)
#define GETOPEAKS _IOR('P', 44, unsigned short[128])
#define SYSINFO _IOR('X', 1, struct sysinfo)
#define ENGINEINFO _IOWR('X', 12, struct audioinfo)
#define AUDIOINFO _IOWR('X', 7, struct audioinfo)
#define SETLABEL _IOW('Y', 4, char[16])

#define EXPECT(condition) \
  ((condition) ? (void) 0 : fail(#condition, __LINE__))

static void fail(const char *what, int line)
{
  printf("line %d: %s, errno %d\n", line, what, errno);
  exit(1);
}

static int call(int fd, unsigned long request, int value)
{
  EXPECT(ioctl(fd, request, &value) == 0);
  return value;
}

static void describes(int fd)
{
  struct sysinfo system;
  struct audioinfo audio = { .dev = 0 };

  EXPECT(ioctl(fd, SYSINFO, &system) == 0);
  EXPECT(strcmp(system.product, "ossp") == 0);
  EXPECT(system.versionnum == call(fd, OSS_GETVERSION, 0) && system.versionnum >= 0x040003);
  EXPECT(system.numaudios >= 1 && system.numcards >= 1 && system.nummixers >= 1);
  EXPECT(ioctl(fd, AUDIOINFO, &audio) == 0);
  EXPECT(audio.enabled == 1 && audio.max_rate == 384000 && audio.max_channels == 8);
  EXPECT(access(audio.devnode, W_OK) == 0);
  audio.dev = system.numaudios;
  EXPECT(ioctl(fd, AUDIOINFO, &audio) < 0 && errno == EINVAL);
}

static int open_stereo(const char *path)
{
  int fd = open(path, O_WRONLY);

  EXPECT(fd >= 0);
  call(fd, SNDCTL_DSP_SETFMT, AFMT_S16_LE);
  call(fd, SNDCTL_DSP_CHANNELS, 2);
  call(fd, SNDCTL_DSP_SPEED, 48000);
  call(fd, SNDCTL_DSP_SETFRAGMENT, 64 << 16 | 12); /* 1.4 s: enough for slow machines */
  return fd;
}

int main(int argc, char **argv)
{
  static short sound[2 * 48000 * 2];
  struct audioinfo engine = { .dev = -1 };
  struct errinfo errors;
  struct errinfo_42 errors_42;
  struct count count;
  struct syncgroup group = { .mode = PCM_ENABLE_OUTPUT };
  unsigned short peaks[128];
  unsigned long long order;
  buffmem_desc memory;
  int fd, other, mixer;

  if (argc != 3)
    return 1;
  mixer = open(argv[2], O_RDONLY);
  EXPECT(mixer >= 0);
  describes(mixer);
  EXPECT(ioctl(mixer, ENGINEINFO, &engine) < 0 && errno == EINVAL);

  fd = open_stereo(argv[1]);
  describes(fd);
  EXPECT(ioctl(fd, SETLABEL, "a label\0\0\0\0\0\0\0\0") == 0);
  EXPECT(ioctl(fd, ENGINEINFO, &engine) == 0);
  EXPECT(engine.pid == getpid() && engine.busy == PCM_ENABLE_OUTPUT);
  EXPECT(strcmp(engine.label, "a label") == 0);
  EXPECT(ioctl(fd, GET_CHNORDER, &order) == 0 && order == 0x87654321);
  EXPECT(ioctl(fd, SNDCTL_DSP_MAPOUTBUF, &memory) < 0 && errno == EINVAL);

  /* A second, which begins only with the other's. */
  for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
    sound[i] = i % 2 ? 0 : 16384;
  other = open_stereo(argv[1]);
  EXPECT(ioctl(fd, SYNCGROUP, &group) == 0);
  EXPECT(ioctl(other, SYNCGROUP, &group) == 0);
  EXPECT(write(fd, sound, 192000) == 192000 && write(other, sound, 192000) == 192000);
  usleep(100000);
  EXPECT(ioctl(fd, CURRENT_OPTR, &count) == 0 && count.samples == 0);
  EXPECT(ioctl(other, CURRENT_OPTR, &count) == 0 && count.samples == 0);
  EXPECT(ioctl(other, SYNCSTART, &group.id) < 0 && errno == EPERM);
  EXPECT(ioctl(fd, SYNCSTART, &group.id) == 0);
  usleep(20000);
  EXPECT(ioctl(other, CURRENT_OPTR, &count) == 0 && count.samples >= 900);
  EXPECT(ioctl(fd, GETOPEAKS, peaks) == 0 && peaks[0] == 16384 && peaks[1] == 0);
  EXPECT(ioctl(fd, SNDCTL_DSP_SYNC, 0) == 0);
  EXPECT(ioctl(fd, CURRENT_OPTR, &count) == 0 && count.samples == 48000);
  EXPECT(ioctl(fd, HALT_OUTPUT, 0) == 0);
  EXPECT(ioctl(fd, CURRENT_OPTR, &count) == 0 && count.samples == 0);

  /* Sound that runs dry. */
  EXPECT(ioctl(fd, GETERROR, &errors) == 0);
  EXPECT(write(fd, sound, 19200) == 19200);
  usleep(300000);
  EXPECT(ioctl(fd, GETERROR, &errors) == 0 && errors.play_underruns == 1);
  EXPECT(write(fd, sound, 19200) == 19200);
  usleep(300000);
  EXPECT(ioctl(fd, GETERROR_42, &errors_42) == 0 && errors_42.counts[0] == 1);

  /* A call wakes at the room that LOW_WATER says: four fifths of the buffer. */
  {
    audio_buf_info space;
    struct pollfd polled = { .fd = fd, .events = POLLOUT };

    EXPECT(ioctl(fd, SNDCTL_DSP_GETOSPACE, &space) == 0);
    EXPECT(write(fd, sound, space.bytes) == space.bytes);
    call(fd, LOW_WATER, space.fragstotal * space.fragsize / 5 * 4);
    EXPECT(poll(&polled, 1, 5000) == 1);
    EXPECT(ioctl(fd, SNDCTL_DSP_GETOSPACE, &space) == 0);
    EXPECT(space.bytes >= space.fragstotal * space.fragsize / 5 * 4);
  }
  EXPECT(ioctl(fd, SNDCTL_DSP_RESET, 0) == 0);
  printf("ok %zu\n", 8 * sizeof(long));
  return 0;
}
