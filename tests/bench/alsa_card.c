// A sound card for ALSA where there is none: a plug-in of libasound's that plays 48 kHz stereo S16
// to nobody, at its rate by the clock. One program at a time can have it, as with most cards.
//
// As a PCM: pcm_type.ossp_card { lib "PATH OF THIS LIBRARY" }
//           pcm.NAME { type ossp_card report "FILE" }
// FILE gets a line "click MS" for each frame that is not silent and comes after 1000 silent ones,
// with the time when it is heard, in milliseconds since the epoch; and a line "gap MS" when it has
// nothing to play.

#define _GNU_SOURCE
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

enum { RATE_HZ = 48000, CHANNELS = 2, FRAME_BYTES = 4, SILENT_FRAMES = 1000 };
enum { LEAST_PERIOD_BYTES = 256 * FRAME_BYTES, MOST_BYTES = 48000 * FRAME_BYTES };

struct card {
	snd_pcm_ioplug_t io;
	FILE *report;
	double start_ms;
	long written; // frames since `prepare`
	long silent;  // frames until now
	int is_dry;   // and that has been told
};

static double now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static long due(const struct card *card)
{
	return (now_ms() - card->start_ms) * RATE_HZ / 1e3;
}

static void tell_clicks(struct card *card, const int16_t *frames, long count)
{
	for (long i = 0; i < count; i++) {
		if (frames[i * CHANNELS] == 0) {
			card->silent++;
			continue;
		}
		if (card->silent >= SILENT_FRAMES && card->start_ms > 0)
			fprintf(card->report, "click %.3f\n",
			        card->start_ms + (card->written + i) * 1e3 / RATE_HZ);
		card->silent = 0;
	}
	fflush(card->report);
}

static int prepare(snd_pcm_ioplug_t *io)
{
	struct card *card = io->private_data;
	card->start_ms = card->written = card->silent = card->is_dry = 0;
	return 0;
}

static int start(snd_pcm_ioplug_t *io)
{
	struct card *card = io->private_data;
	card->start_ms = now_ms();
	return 0;
}

static int stop(snd_pcm_ioplug_t *io)
{
	(void) io;
	return 0;
}

static snd_pcm_sframes_t pointer(snd_pcm_ioplug_t *io)
{
	struct card *card = io->private_data;
	if (card->start_ms == 0) return 0;
	long frames = due(card);
	if (frames > card->written) {
		if (!card->is_dry) fprintf(card->report, "gap %.3f\n", now_ms());
		card->is_dry = 1;
		fflush(card->report);
		return -EPIPE;
	}
	return frames % io->buffer_size;
}

static snd_pcm_sframes_t transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                  snd_pcm_uframes_t offset, snd_pcm_uframes_t count)
{
	struct card *card = io->private_data;
	const char *frames = (const char *) areas->addr + areas->first / 8;
	tell_clicks(card, (const int16_t *) (frames + offset * FRAME_BYTES), count);
	card->written += count;
	return count;
}

static int close_card(snd_pcm_ioplug_t *io)
{
	struct card *card = io->private_data;
	fclose(card->report);
	free(card);
	return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
	.prepare = prepare,
	.start = start,
	.stop = stop,
	.pointer = pointer,
	.transfer = transfer,
	.close = close_card,
};

static int limit(snd_pcm_ioplug_t *io)
{
	const unsigned access = SND_PCM_ACCESS_RW_INTERLEAVED, format = SND_PCM_FORMAT_S16_LE;
	const struct { int what; unsigned least, most; } ranges[] = {
		{ SND_PCM_IOPLUG_HW_CHANNELS, CHANNELS, CHANNELS },
		{ SND_PCM_IOPLUG_HW_RATE, RATE_HZ, RATE_HZ },
		{ SND_PCM_IOPLUG_HW_PERIOD_BYTES, LEAST_PERIOD_BYTES, MOST_BYTES / 2 },
		{ SND_PCM_IOPLUG_HW_BUFFER_BYTES, 2 * LEAST_PERIOD_BYTES, MOST_BYTES },
	};
	int error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 1, &access);
	if (error == 0)
		error = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, &format);
	for (size_t i = 0; error == 0 && i < sizeof ranges / sizeof *ranges; i++)
		error = snd_pcm_ioplug_set_param_minmax(io, ranges[i].what, ranges[i].least,
		                                        ranges[i].most);
	return error;
}

static int create(snd_pcm_t **pcm, const char *name, const char *path, snd_pcm_stream_t stream,
                  int mode)
{
	if (stream != SND_PCM_STREAM_PLAYBACK) return -ENODEV;
	struct card *card = calloc(1, sizeof *card);
	if (!card) return -ENOMEM;
	card->report = fopen(path, "a");
	int error = card->report ? 0 : -errno;
	if (card->report && flock(fileno(card->report), LOCK_EX | LOCK_NB) < 0) error = -EBUSY;
	if (error == 0) {
		card->io.version = SND_PCM_IOPLUG_VERSION;
		card->io.name = "a card for the bench";
		card->io.poll_fd = -1;
		card->io.callback = &callbacks;
		card->io.private_data = card;
		error = snd_pcm_ioplug_create(&card->io, name, stream, mode);
	}
	if (error < 0) {
		if (card->report) fclose(card->report);
		free(card);
		return error;
	}
	// From here on a failed open ends in close_card.
	error = limit(&card->io);
	if (error < 0) {
		snd_pcm_ioplug_delete(&card->io);
		return error;
	}
	*pcm = card->io.pcm;
	return 0;
}

SND_PCM_PLUGIN_DEFINE_FUNC(ossp_card)
{
	snd_config_iterator_t i, next;
	const char *report = NULL;
	(void) root;
	snd_config_for_each(i, next, conf) {
		snd_config_t *field = snd_config_iterator_entry(i);
		const char *id;
		if (snd_config_get_id(field, &id) == 0 && strcmp(id, "report") == 0)
			snd_config_get_string(field, &report);
	}
	return report ? create(pcmp, name, report, stream, mode) : -EINVAL;
}

SND_PCM_PLUGIN_SYMBOL(ossp_card);
