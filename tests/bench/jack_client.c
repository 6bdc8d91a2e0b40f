// A client of a JACK server that does next to nothing, to compare others with: silence on a port that is
// connected with the card's (tests/apps/jack_card.c).
//
// Usage: jack_client SERVER NAME
//
// Says "ready" on standard output. SIGTERM, or the server's end, ends it.
//
// Exit status: 0 done, 1 something failed, 2 usage.

#include <jack/jack.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jack_port_t *port;
static sem_t end;

static int process(jack_nframes_t frames, void *unused)
{
	(void) unused;
	memset(jack_port_get_buffer(port, frames), 0, frames * sizeof(float));
	return 0;
}

static void shut_down(void *unused)
{
	(void) unused;
	sem_post(&end);
}

static void on_signal(int unused)
{
	(void) unused;
	sem_post(&end);
}

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "jack_client: %s\n", what);
	exit(1);
}

int main(int count, char **words)
{
	if (count != 3) return fprintf(stderr, "usage: jack_client SERVER NAME\n"), 2;
	sem_init(&end, 0, 0);
	signal(SIGTERM, on_signal);
	jack_options_t options = JackNoStartServer | JackServerName;
	jack_client_t *client = jack_client_open(words[2], options, NULL, words[1]);
	if (!client) fail("there is no such server");
	jack_set_process_callback(client, process, NULL);
	jack_on_shutdown(client, shut_down, NULL);
	port = jack_port_register(client, "out", JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
	if (!port || jack_activate(client) != 0) fail("cannot be activated");
	if (jack_connect(client, jack_port_name(port), "card:playback_1") != 0) fail("there is no card");
	puts("ready");
	fflush(stdout);
	while (sem_wait(&end) != 0) continue;
	jack_client_close(client);
	return 0;
}
