/*
 * The mixer's part of OSS 4's interface, which Linux's soundcard.h has not: what a client written for it
 * is compiled with. Numbers and layouts are those of OSS 4's own header.
 */

#ifndef OSS4_MIXER_H
#define OSS4_MIXER_H

#include <linux/soundcard.h>
#include <sys/ioctl.h>

#define SNDCTL_DSP_GETPLAYVOL _IOR('P', 24, int)
#define SNDCTL_DSP_SETPLAYVOL _IOWR('P', 24, int)
#define SNDCTL_DSP_GETRECVOL _IOR('P', 41, int)
#define SNDCTL_DSP_SETRECVOL _IOWR('P', 41, int)

enum {
  MIXT_DEVROOT = 0,
  MIXT_GROUP = 1,
  MIXT_ENUM = 3,
  MIXT_STEREOSLIDER = 5,
  MIXT_MARKER = 12,
  MIXT_MUTE = 21,
};

enum {
  MIXF_READABLE = 0x1,
  MIXF_WRITEABLE = 0x2,
  MIXF_DESCR = 0x8000,
};

struct oss_mixext {
  int dev, ctrl, type, maxvalue, minvalue, flags;
  char id[16];
  int parent, dummy, timestamp;
  char data[64];
  unsigned char enum_present[32];
  int control_no;
  unsigned int desc;
  char extname[32];
  int update_counter, rgbcolor, filler[6];
};

struct oss_mixext_root {
  char id[16], name[48];
};

struct oss_mixer_value {
  int dev, ctrl, value, flags, timestamp, filler[8];
};

struct oss_mixer_enuminfo {
  int dev, ctrl, nvalues, version;
  short strindex[255];
  char strings[3000];
};

struct oss_mixerinfo {
  int dev;
  char id[16], name[32];
  int modify_counter, card_number, port_number;
  char handle[32];
  int magic, enabled, caps, flags, nrext, priority;
  char devnode[32];
  int legacy_device, filler[245];
};

#define SNDCTL_MIX_NRMIX _IOR('X', 2, int)
#define SNDCTL_MIX_NREXT _IOWR('X', 3, int)
#define SNDCTL_MIX_EXTINFO _IOWR('X', 4, struct oss_mixext)
#define SNDCTL_MIX_READ _IOWR('X', 5, struct oss_mixer_value)
#define SNDCTL_MIX_WRITE _IOWR('X', 6, struct oss_mixer_value)
#define SNDCTL_MIX_ENUMINFO _IOWR('X', 8, struct oss_mixer_enuminfo)
#define SNDCTL_MIXERINFO _IOWR('X', 10, struct oss_mixerinfo)
#define SNDCTL_MIX_DESCRIPTION _IOWR('X', 14, struct oss_mixer_enuminfo)

#endif
