/*
 * generation.c - a configuration, for as long as a process has it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "master/master.h"

struct generation *
generation_new(void)
{
	struct generation *g = calloc(1, sizeof *g);

	if (g == NULL)
		return NULL;
	g->refs = 1;
	g->conf_fd = -1;
	for (size_t i = 0; i < CONF_LISTENS_MAX; i++)
		g->listeners[i] = -1;
	return g;
}

struct generation *
generation_ref(struct generation *g)
{
	g->refs++;
	return g;
}

void
generation_close_listeners(struct generation *g)
{
	for (size_t i = 0; i < CONF_LISTENS_MAX; i++) {
		if (g->sessions[i].readable != NULL)
			event_free(g->sessions[i].readable);
		g->sessions[i].readable = NULL;
		if (g->listeners[i] != -1)
			close(g->listeners[i]);
		g->listeners[i] = -1;
	}
}

void
generation_unref(struct generation *g)
{
	if (g == NULL || --g->refs > 0)
		return;
	generation_close_listeners(g);
	if (g->conf_fd != -1)
		close(g->conf_fd);
	conf_free(&g->conf);
	free(g);
}
