/*
 * logger.c - the last errors in the log, of which logger knows.
 */
#include <unistd.h>

#include "admin/control/control.h"
#include "common/bytes/log.h"

static void
answer(struct client *c, const struct msg_errors *errors)
{
	c->waits = WAITS_NOBODY;
	msg_errors_put(
	    channel_begin(c->channel, CONTROL_ERRORS_LAST, c->request), errors);
	(void)channel_send(c->channel, -1);
}

static int
on_errors(void *arg, struct ipc_msg *m)
{
	struct msg_errors errors;
	struct client *c;

	if (msg_errors_get(m, &errors) == -1)
		return -1;
	if ((c = clients_answered(arg, m->id, WAITS_LOGGER)) != NULL)
		answer(c, &errors);
	return 0;
}

/* None is known: whoever waits is told so. */
static void
forget(struct control *k)
{
	static const struct msg_errors none = { .n = 0 };
	struct client *c;

	TAILQ_FOREACH (c, &k->clients, link)
		if (c->waits == WAITS_LOGGER)
			answer(c, &none);
}

static void
on_closed(void *arg, bool bad)
{
	struct control *k = arg;

	k->logger = NULL;
	forget(k);
	if (bad)
		process_complain(k->process, PEER_LOGGER, k->logger_instance);
}

void
logger_connect(struct control *k, uint32_t instance, int fd)
{
	static const struct ipc_rule rules[] = {
		{ CONTROL_ERRORS_LAST, IPC_ANY_PHASE, IPC_FD_NEVER, on_errors },
	};
	static const struct channel_ops ops = { rules,
		sizeof rules / sizeof *rules, on_closed };

	channel_free(k->logger);
	forget(k);
	k->logger_instance = instance;
	k->logger = channel_new(k->process->base, fd, PEER_LOGGER, &ops, k);
	if (k->logger == NULL) {
		log_warn("no_channel", log_str("peer", peer_name(PEER_LOGGER)));
		close(fd);
	}
}

void
logger_ask(struct client *c)
{
	static const struct msg_errors none = { .n = 0 };
	struct channel *logger = c->control->logger;

	if (logger == NULL) {
		answer(c, &none);
		return;
	}
	(void)channel_begin(logger, CONTROL_ERRORS, c->number);
	if (channel_send(logger, -1) == -1)
		answer(c, &none);
	else
		c->waits = WAITS_LOGGER;
}
