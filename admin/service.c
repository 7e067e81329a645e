/*
 * service.c - run, check, config, status, reload, stop: the service as a whole.
 */
#include <stdio.h>

#include "admin/admin.h"

static void
no_words(const struct admin *a)
{
	if (a->argc != 0)
		usage("%s: no further word is needed", a->argv[0]);
}

int
verb_run(struct admin *a)
{
	const char *argv[] = { "master", "-c", a->conf_file, NULL };

	no_words(a);
	program_exec("master", argv);
}

int
verb_check(struct admin *a)
{
	const char *argv[] = { "master", "-n", "-c", a->conf_file, NULL };

	no_words(a);
	program_exec("master", argv);
}

int
verb_config(struct admin *a)
{
	bool json = a->argc == 1 && strcmp(a->argv[0], "--json") == 0;
	const char *argv[] = { "config", "-c", a->conf_file, json ? "-j" : "-p",
		NULL };

	if (!json)
		no_words(a);
	program_exec("config", argv);
}

/* One reload takes master at most a minute; it may have to wait for another one
 * that is under way. */
#define RELOAD_WAIT 150

int
verb_reload(struct admin *a)
{
	no_words(a);
	admin_connect(a);
	a->patience = RELOAD_WAIT;
	admin_begin(a, CONTROL_RELOAD);
	admin_ask(a, CONTROL_DONE);
	return EXIT_DONE;
}

/* master takes at most this long from its order to its end; STOP_SECONDS and a
 * little for a loaded machine. */
#define STOP_WAIT 20

int
verb_stop(struct admin *a)
{
	no_words(a);
	admin_connect(a);
	admin_begin(a, CONTROL_STOP);
	admin_ask(a, CONTROL_DONE);
	if (!admin_wait_end(a, STOP_WAIT))
		refuse(EXIT_REFUSED, "it is still running after %d seconds",
		    STOP_WAIT);
	return EXIT_DONE;
}
