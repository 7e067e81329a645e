/*
 * message.c - reading standard input.
 */
#include "admin/sendmail/message.h"

#include <errno.h>
#include <unistd.h>

#include "admin/sendmail/sendmail.h"

void
message_init(struct message *m, bool ignore_dots)
{
	text_init(&m->text, ignore_dots);
	buf_init(&m->kept, MESSAGE_KEPT_MAX);
	m->block = SPAN("");
	m->whole = false;
}

static ssize_t
read_block(char in[MESSAGE_BLOCK])
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, in, MESSAGE_BLOCK);
	while (n == -1 && errno == EINTR);
	return n;
}

void
message_next(struct message *m)
{
	static char in[MESSAGE_BLOCK];
	ssize_t n = read_block(in);
	size_t out;

	if (n == -1)
		fail(EX_IOERR,
		    "standard input cannot be read (%s); nothing was sent",
		    strerrordesc_np(errno));
	out = text_add(&m->text, span_from(in, (size_t)n), m->out);
	if (n == 0 || m->text.ended) {
		out += text_end(&m->text, m->out + out);
		m->whole = true;
	}
	if (m->text.nul)
		fail(EX_DATAERR,
		    "the message holds a NUL octet, which mail cannot carry; "
		    "nothing was sent");
	m->block = span_from(m->out, out);
}

void
message_keep(struct message *m)
{
	while (!m->whole) {
		message_next(m);
		/* Over the limit, ours or that of memory: it goes as it is. */
		if (buf_add_span(&m->kept, m->block) == -1)
			return;
		m->block = SPAN("");
	}
}
