/*
 * export.c - each message as a file that any mail program reads, and its
 * envelope beside it.
 *
 * The envelope is JSON: `record` is a MESSAGE as in the log, in hexadecimal
 * digits, with all that is known of the recipients that are not final; it is what
 * an import reads.  What else stands there is for people.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>

#include "common/bytes/id.h"
#include "queue/disk.h"
#include "queue/store_state.h"
#include "queue/tool/tool.h"

/* With more recipients their replies stay behind: codes and times go. */
#define TEXTS_MAX 1000
#define PIECE	  (64 * 1024)
#define NAME_MAX_ (ID_LEN + 12)

struct exporting {
	struct tool *tool;
	const struct message *message;
	struct record_message record; /* borrows `trace` */
	struct buf trace;
	struct state_rows rows;
	struct buf *replies; /* of each row: borrowed by its host */
	uint32_t n;
	uint8_t hash[EXPORT_HASH];
};

/* ---- the envelope ------------------------------------------------------------ */

/* Only what is not final: nothing delivered comes back. */
static int
gather(struct exporting *x)
{
	const struct message *m = x->message;
	struct record_rcpt last;

	if (state_rows_fill(&x->rows, m) == -1 ||
	    (x->replies = calloc(m->nrcpts, sizeof *x->replies)) == NULL)
		return -1;
	for (uint32_t i = 0; i < m->nrcpts; i++) {
		struct record_rcpt row = x->rows.row[i];
		struct buf *b = &x->replies[x->n];

		if (row.state != RCPT_WAITING)
			continue;
		buf_init(b, UINT32_MAX / 2);
		if (m->nrcpts <= TEXTS_MAX &&
		    store_last_reply(x->tool->store, m, i, b, &last) == 0) {
			row.reply = last.reply;
			row.time = last.time;
			row.host = last.host;
		}
		row.index = x->n;
		x->rows.row[x->n++] = row;
	}
	return 0;
}

static json_t *
text_json(struct span s)
{
	json_t *t = json_stringn(s.p, s.n);

	/* It is for people: the record has it as it was. */
	return t != NULL ? t : json_string("(not UTF-8)");
}

static json_t *
rcpts_json(const struct exporting *x)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < x->n; i++) {
		const struct record_rcpt *r = &x->rows.row[i];
		json_t *o = json_object();

		json_object_set_new(o, "to", text_json(r->address));
		json_object_set_new(o, "held", json_boolean(r->held));
		json_object_set_new(o, "attempts", json_integer(r->attempts));
		json_object_set_new(o, "code", json_integer(r->reply.code));
		json_array_append_new(all, o);
	}
	return all;
}

static char *
hex(struct span s)
{
	char *text = malloc(2 * s.n + 1);

	if (text != NULL)
		sodium_bin2hex(
		    text, 2 * s.n + 1, (const unsigned char *)s.p, s.n);
	return text;
}

static char *
envelope(struct exporting *x)
{
	char id[ID_LEN + 1], hash[2 * EXPORT_HASH + 1];
	struct buf b;
	struct wire_put w;
	char *digits = NULL, *text = NULL, *at;
	size_t max;
	json_t *o;

	x->record.nrcpts = x->n;
	max = record_message_max(&x->record, x->rows.row);
	buf_init(&b, UINT32_MAX / 2);
	if ((at = buf_reserve(&b, max)) != NULL) {
		w = wire_writer(at, max);
		record_message_put(&w, &x->record, x->rows.row);
		digits = w.bad ? NULL : hex(span_from(at, w.n));
	}
	id_format(id, x->record.id);
	sodium_bin2hex(hash, sizeof hash, x->hash, sizeof x->hash);
	if (digits != NULL &&
	    (o = json_pack("{s:i,s:s,s:o,s:o,s:I,s:o,s:s,s:s}", "version",
		 EXPORT_VERSION, "id", id, "from", text_json(x->record.sender),
		 "client", text_json(x->record.client), "size",
		 (json_int_t)x->record.size, "recipients", rcpts_json(x), "eml",
		 hash, "record", digits)) != NULL) {
		text = json_dumps(o, JSON_INDENT(1));
		json_decref(o);
	}
	free(digits);
	buf_fini(&b);
	return text;
}

/* ---- the message -------------------------------------------------------------- */

/* The prefix, then the content, from one descriptor to the other. */
static int
copy(struct exporting *x, int from, int to)
{
	static char piece[PIECE];
	struct span prefix = x->record.prefix;
	crypto_generichash_state st;
	off_t at = 0;
	ssize_t n;

	crypto_generichash_init(&st, NULL, 0, sizeof x->hash);
	crypto_generichash_update(&st, (const uint8_t *)prefix.p, prefix.n);
	if (disk_write(to, prefix.p, prefix.n, 0) == -1)
		return -1;
	while ((n = disk_read(from, piece, sizeof piece, at)) > 0) {
		crypto_generichash_update(
		    &st, (const uint8_t *)piece, (size_t)n);
		if (disk_write(to, piece, (size_t)n, (off_t)prefix.n + at) ==
		    -1)
			return -1;
		at += n;
	}
	crypto_generichash_final(&st, x->hash, sizeof x->hash);
	if (n == 0 && (uint64_t)at != x->record.size) {
		errno = EBADMSG;
		return -1;
	}
	return n == 0 ? disk_sync(to) : -1;
}

static int
write_eml(struct exporting *x, int content)
{
	char id[ID_LEN + 1], name[NAME_MAX_], part[NAME_MAX_];
	int fd, rc, saved;

	id_format(id, x->record.id);
	snprintf(name, sizeof name, "%s.eml", id);
	snprintf(part, sizeof part, "%s.part", id);
	(void)disk_unlink(x->tool->dir, part); /* of one that was ended */
	if ((fd = disk_create(x->tool->dir, part, 0600)) == -1)
		return -1;
	rc = copy(x, content, fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc == -1 ? -1
			: disk_rename(x->tool->dir, part, x->tool->dir, name);
}

static int
write_envelope(struct exporting *x)
{
	char id[ID_LEN + 1], name[NAME_MAX_];
	char *text = envelope(x);
	int rc;

	if (text == NULL) {
		errno = ENOMEM;
		return -1;
	}
	id_format(id, x->record.id);
	snprintf(name, sizeof name, "%s.json", id);
	/* The last thing: it says that the other file is whole. */
	rc = disk_save(x->tool->dir, name, 0600, span_of(text));
	free(text);
	return rc;
}

static int
write_message(struct exporting *x)
{
	int content = tool_content(x->tool, x->message), rc, saved;

	if (content == -1)
		return -1;
	rc = write_eml(x, content);
	saved = errno;
	close(content);
	errno = saved;
	return rc == -1 ? -1 : write_envelope(x);
}

static void
export_message(struct tool *t, const struct message *m)
{
	struct exporting x = { .tool = t, .message = m };

	buf_init(&x.trace, UINT32_MAX / 2);
	state_rows_init(&x.rows);
	if (store_message(t->store, m, &x.trace, &x.record) == -1) {
		tool_complain(t, m->id, "its trace fields are lost");
		x.record = (struct record_message){ .id = m->id,
			.content = m->content->number,
			.client = SPAN(""),
			.prefix = SPAN("") };
	}
	x.record.size = m->content->size;
	x.record.flags = m->flags & ~(uint32_t)MESSAGE_DAMAGED;
	x.record.body = m->body;
	x.record.sender = span_of(m->sender);
	if (gather(&x) == -1 || write_message(&x) == -1)
		tool_complain(t, m->id, "not exported: %s", strerror(errno));
	else
		t->done++;
	for (uint32_t i = 0; x.replies != NULL && i < x.n; i++)
		buf_fini(&x.replies[i]);
	free(x.replies);
	state_rows_fini(&x.rows);
	buf_fini(&x.trace);
}

void
tool_export(struct tool *t)
{
	struct index *ix = store_index(t->store);

	if (store_look(t->store, t->base) == -1)
		err(1, "store");
	/* Also where no message suffers. */
	t->failed += store_damaged(t->store);
	for (struct message *m = index_first(ix); m != NULL;
	     m = index_after(ix, m->id)) {
		export_message(t, m);
		tool_progress(t);
	}
	if (disk_sync(t->dir) == -1)
		err(1, "the directory");
	store_free(t->store);
}
