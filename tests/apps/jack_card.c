// A sound card for a JACK server that has none: a client whose ports are physical, so that others
// connect to them. What is played there is kept to the bit, and what it records is a file's sound.
//
// Usage: jack_card SERVER HEARD [SOURCE]
//
//   HEARD    gets what was played, interleaved floats of two channels, from the start on
//   SOURCE   the same: what the card records, over and over
//
// Says "ready" on standard output, and "sound" when it hears one. SIGTERM, or the server's end, ends it:
// then HEARD is written, and standard output gets one line of JSON. A cycle's line in HEARD.times is the count of frames before it
// and when it began, in ms since the epoch.
//
// Exit status: 0 done, 1 something failed, 2 usage.

#define _GNU_SOURCE
#include <jack/jack.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHANNELS = 2, MOST_SECONDS = 150, MOST_CYCLES = 1 << 17 };

static struct {
	jack_client_t *client;
	jack_port_t *playback[CHANNELS], *capture[CHANNELS];
	float *heard;
	size_t frames, most_frames;
	struct { size_t frame; double ms; } *cycles;
	size_t cycle_count;
	float *source;
	size_t source_frames, source_at;
	long xruns;
	int hears;
	volatile int ends;
	sem_t event;
} card;

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "jack_card: %s\n", what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void play_out(jack_nframes_t frames)
{
	if (card.frames + frames > card.most_frames || card.cycle_count == MOST_CYCLES) return;
	double since_ms = jack_frames_since_cycle_start(card.client) * 1e3 /
	                  jack_get_sample_rate(card.client);
	card.cycles[card.cycle_count].frame = card.frames;
	card.cycles[card.cycle_count++].ms = now_ms() - since_ms;
	float *to = card.heard + card.frames * CHANNELS;
	for (int channel = 0; channel < CHANNELS; channel++) {
		const float *from = jack_port_get_buffer(card.playback[channel], frames);
		for (jack_nframes_t i = 0; i < frames; i++) to[i * CHANNELS + channel] = from[i];
	}
	card.frames += frames;
	if (card.hears) return;
	for (jack_nframes_t i = 0; i < frames * CHANNELS; i++) card.hears |= to[i] != 0;
	if (card.hears) sem_post(&card.event);
}

static void record_in(jack_nframes_t frames)
{
	float *to[CHANNELS];
	for (int channel = 0; channel < CHANNELS; channel++) {
		to[channel] = jack_port_get_buffer(card.capture[channel], frames);
		memset(to[channel], 0, frames * sizeof(float));
	}
	if (!card.source_frames) return;
	for (jack_nframes_t i = 0; i < frames; i++) {
		const float *frame = card.source + card.source_at * CHANNELS;
		for (int channel = 0; channel < CHANNELS; channel++) to[channel][i] = frame[channel];
		card.source_at = (card.source_at + 1) % card.source_frames;
	}
}

static int process(jack_nframes_t frames, void *unused)
{
	(void) unused;
	play_out(frames);
	record_in(frames);
	return 0;
}

static int count_xrun(void *unused)
{
	(void) unused;
	card.xruns++;
	return 0;
}

static void shut_down(void *unused)
{
	(void) unused;
	card.ends = 1;
	sem_post(&card.event);
}

static void on_signal(int unused)
{
	(void) unused;
	card.ends = 1;
	sem_post(&card.event);
}

static void read_source(const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file || fseek(file, 0, SEEK_END) != 0) fail(path);
	long bytes = ftell(file);
	rewind(file);
	card.source = malloc(bytes);
	if (!card.source || fread(card.source, 1, bytes, file) != (size_t) bytes) fail(path);
	card.source_frames = bytes / sizeof(float) / CHANNELS;
	fclose(file);
}

static void open_card(const char *server)
{
	card.client = jack_client_open("card", JackNoStartServer | JackServerName, NULL, server);
	if (!card.client) fail("there is no such server");
	card.most_frames = (size_t) MOST_SECONDS * jack_get_sample_rate(card.client);
	card.heard = calloc(card.most_frames * CHANNELS, sizeof(float));
	card.cycles = calloc(MOST_CYCLES, sizeof *card.cycles);
	if (!card.heard || !card.cycles) fail("no memory");
	jack_set_process_callback(card.client, process, NULL);
	jack_set_xrun_callback(card.client, count_xrun, NULL);
	jack_on_shutdown(card.client, shut_down, NULL);
	for (int i = 0; i < CHANNELS; i++) {
		char name[32];
		snprintf(name, sizeof name, "playback_%d", i + 1);
		unsigned long flags = JackPortIsPhysical | JackPortIsTerminal;
		const char *type = JACK_DEFAULT_AUDIO_TYPE;
		card.playback[i] =
			jack_port_register(card.client, name, type, flags | JackPortIsInput, 0);
		snprintf(name, sizeof name, "capture_%d", i + 1);
		card.capture[i] =
			jack_port_register(card.client, name, type, flags | JackPortIsOutput, 0);
		if (!card.playback[i] || !card.capture[i]) fail("no port is left");
	}
	if (jack_activate(card.client) != 0) fail("cannot be activated");
}

static void write_heard(const char *path)
{
	FILE *file = fopen(path, "w");
	if (!file) fail(path);
	fwrite(card.heard, sizeof(float) * CHANNELS, card.frames, file);
	if (fclose(file) != 0) fail(path);

	char times[4096];
	snprintf(times, sizeof times, "%s.times", path);
	file = fopen(times, "w");
	if (!file) fail(times);
	for (size_t i = 0; i < card.cycle_count; i++) {
		fprintf(file, "%zu %.3f\n", card.cycles[i].frame, card.cycles[i].ms);
	}
	if (fclose(file) != 0) fail(times);
}

int main(int count, char **words)
{
	if (count < 3 || count > 4) {
		fprintf(stderr, "usage: jack_card SERVER HEARD [SOURCE]\n");
		return 2;
	}
	sem_init(&card.event, 0, 0);
	signal(SIGTERM, on_signal);
	if (count > 3) read_source(words[3]);
	open_card(words[1]);
	puts("ready");
	fflush(stdout);
	while (!card.ends) {
		if (sem_wait(&card.event) != 0 || card.ends) continue;
		puts("sound");
		fflush(stdout);
	}
	jack_deactivate(card.client);
	write_heard(words[2]);
	printf("{\"frames\":%zu,\"cycles\":%zu,\"xruns\":%ld}\n", card.frames, card.cycle_count,
	       card.xruns);
	return 0;
}
