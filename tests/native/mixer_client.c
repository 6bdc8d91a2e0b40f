// OSS clients of a mixer, as programs of OSS 3 and of OSS 4 are.
//
// Usage: mixer_client walk MIXER        prints OSS 4's tree, a line a control: TYPE PATH VALUE
//        mixer_client own MIXER DSP     moves its own stream, and looks at it from all sides
//        mixer_client gain MIXER DSP    prints the loudest sample that is recorded before and after igain
//                                       has been set to 50 percent
//
// Exit status 1, and a line that says why: something was not as it should be.

#include "oss4_mixer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPECT(condition) ((condition) ? (void) 0 : fail(#condition, __LINE__))

static void fail(const char *condition, int line)
{
	printf("line %d: %s: errno %d\n", line, condition, errno);
	exit(1);
}

static int call(int fd, unsigned long request, int value)
{
	EXPECT(ioctl(fd, request, &value) == 0);
	return value;
}

static int open_or_fail(const char *path, int flags)
{
	int fd = open(path, flags);
	EXPECT(fd >= 0);
	return fd;
}

static struct oss_mixext control(int mixer, int number)
{
	struct oss_mixext ext = { .ctrl = number };
	EXPECT(ioctl(mixer, SNDCTL_MIX_EXTINFO, &ext) == 0);
	return ext;
}

static int value_of(int mixer, const struct oss_mixext *ext)
{
	struct oss_mixer_value value = { .ctrl = ext->ctrl, .timestamp = ext->timestamp };
	EXPECT(ioctl(mixer, SNDCTL_MIX_READ, &value) == 0);
	return value.value;
}

/** The slider of a name; the program fails if there is none. */
static struct oss_mixext slider(int mixer, const char *path)
{
	int count = call(mixer, SNDCTL_MIX_NREXT, -1);
	for (int i = 0; i < count; i++) {
		struct oss_mixext ext = control(mixer, i);
		if (ext.type == MIXT_STEREOSLIDER && strcmp(ext.extname, path) == 0) return ext;
	}
	fail(path, __LINE__);
	abort();
}

static void walk(int mixer)
{
	struct oss_mixerinfo info = { .dev = -1 };
	EXPECT(ioctl(mixer, SNDCTL_MIXERINFO, &info) == 0);
	EXPECT(call(mixer, SNDCTL_MIX_NRMIX, 0) > info.dev && info.enabled);
	EXPECT(call(mixer, SNDCTL_MIX_NREXT, info.dev) == info.nrext);
	for (int i = 0; i < info.nrext; i++) {
		struct oss_mixext ext = control(mixer, i);
		EXPECT(ext.ctrl == i && ext.parent >= 0 && (i == 0 || ext.parent < i));
		printf("%d %s", ext.type, ext.extname);
		if (ext.flags & MIXF_READABLE) {
			int value = value_of(mixer, &ext);
			printf(" %x", value);
			if (ext.type == MIXT_ENUM) {
				struct oss_mixer_enuminfo names = { .ctrl = i };
				EXPECT(ioctl(mixer, SNDCTL_MIX_ENUMINFO, &names) == 0);
				EXPECT(names.nvalues == ext.maxvalue && value < names.nvalues);
				printf(" %s", names.strings + names.strindex[value]);
			}
		}
		printf("\n");
	}
}

static int modifications(int mixer)
{
	mixer_info info;
	EXPECT(ioctl(mixer, SOUND_MIXER_INFO, &info) == 0);
	return info.modify_counter;
}

static void own(int mixer, const char *device)
{
	int dsp = open_or_fail(device, O_WRONLY);
	int counted = modifications(mixer);
	EXPECT(call(mixer, SOUND_MIXER_WRITE_PCM, 0x3c50) == 0x3c50);
	EXPECT(modifications(mixer) > counted);
	EXPECT(call(dsp, SNDCTL_DSP_GETPLAYVOL, 0) == 0x3c50);
	EXPECT(call(dsp, SOUND_MIXER_READ_PCM, 0) == 0x3c50);
	int second = open_or_fail(device, O_WRONLY);
	EXPECT(call(second, SNDCTL_DSP_SETPLAYVOL, 0x1428) == 0x1428);
	EXPECT(call(dsp, SNDCTL_DSP_GETPLAYVOL, 0) == 0x3c50);
	close(second);

	struct oss_mixext ext = slider(mixer, "mixer_client");
	EXPECT(value_of(mixer, &ext) == 0x3c50);
	struct oss_mixer_value value = { .ctrl = ext.ctrl, .timestamp = ext.timestamp, .value = 0x0a14 };
	EXPECT(ioctl(mixer, SNDCTL_MIX_WRITE, &value) == 0 && value.value == 0x0a14);
	EXPECT(call(mixer, SOUND_MIXER_READ_PCM, 0) == 0x0a14);
	EXPECT(slider(mixer, "mixer_client").update_counter > ext.update_counter);
	close(dsp);
	// What has ended is not there any more; the close may still be on its way.
	for (int i = 0; ioctl(mixer, SNDCTL_MIX_READ, &value) == 0; i++) {
		EXPECT(i < 100);
		usleep(10000);
	}
	EXPECT(errno == EIDRM);
	EXPECT(ioctl(mixer, SOUND_MIXER_PRIVATE1, &counted) == -1 && errno == EIO);
}

static int loudest(int dsp)
{
	short samples[4000];
	EXPECT(read(dsp, samples, sizeof samples) == sizeof samples);
	int most = 0;
	// What was there before a move is as loud as it was.
	for (int i = 2000; i < 4000; i++) if (samples[i] > most) most = samples[i];
	return most;
}

static void gain(int mixer, const char *device)
{
	int dsp = open_or_fail(device, O_RDONLY);
	call(dsp, SNDCTL_DSP_SETFMT, AFMT_S16_LE);
	call(dsp, SNDCTL_DSP_SPEED, 8000);
	printf("%d ", loudest(dsp));
	EXPECT(call(mixer, SOUND_MIXER_WRITE_IGAIN, 0x3232) == 0x3232);
	EXPECT(call(dsp, SNDCTL_DSP_GETRECVOL, 0) == 0x3232);
	printf("%d\n", loudest(dsp));
}

int main(int count, char **words)
{
	EXPECT(count >= 3);
	int mixer = open_or_fail(words[2], O_RDWR);
	if (strcmp(words[1], "walk") == 0) walk(mixer);
	else if (strcmp(words[1], "own") == 0) own(mixer, words[3]);
	else if (strcmp(words[1], "gain") == 0) gain(mixer, words[3]);
	else fail(words[1], __LINE__);
	return 0;
}
