/*
 * import.c - what an export wrote, into a spool that nobody runs on.
 *
 * A message keeps its id: by that, and by its sender and size, it is known
 * when an import is begun again, also after it was delivered from here (the
 * history tells).  Nothing in the directory is changed.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <sodium.h>

#include "common/bytes/id.h"
#include "common/mail/address.h"
#include "common/msg/history.h"
#include "common/run/conf.h"
#include "queue/disk.h"
#include "queue/store_state.h"
#include "queue/tool/tool.h"

#define PIECE	  (64 * 1024)
#define NAME_MAX_ (ID_LEN + 12)
/* Trace fields; those of queue are a few thousand octets. */
#define PREFIX_MAX (64 * 1024)
/* Changes that are on their way to the disk together. */
#define UNDER_WAY_MAX 64

struct known { /* accepted here, says the history */
	uint64_t id, size, sender;
};

struct importing {
	struct tool *tool;
	struct known *known; /* sorted by id */
	size_t nknown, cap;
	unsigned under_way;
	uint64_t *ids;
	size_t nids, cap_ids;
};

struct one {
	struct importing *in;
	uint64_t id;
};

static void
step(struct tool *t)
{
	if (event_base_loop(t->base, EVLOOP_ONCE) != 0)
		errx(1, "waiting for the disk");
}

/* ---- what was here ------------------------------------------------------------- */

static uint64_t
sender_hash(struct span s)
{
	uint8_t h[crypto_generichash_BYTES_MIN];
	uint64_t n;

	crypto_generichash(h, sizeof h, (const uint8_t *)s.p, s.n, NULL, 0);
	memcpy(&n, h, sizeof n);
	return n;
}

static void
know(struct importing *in, const struct history_event *e)
{
	struct known *grown;

	if (e->kind != HISTORY_ACCEPTED)
		return;
	if (in->nknown == in->cap) {
		in->cap = 2 * in->cap + 1024;
		grown = reallocarray(in->known, in->cap, sizeof *grown);
		if (grown == NULL)
			err(1, "the history");
		in->known = grown;
	}
	in->known[in->nknown++] =
	    (struct known){ e->id, e->size, sender_hash(e->sender) };
}

static int
known_cmp(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void
read_slice(struct importing *in, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct history_event e;
	struct span left;
	struct stat st;
	struct buf b;
	char *p;
	uint64_t seq;

	buf_init(&b, SIZE_MAX / 2);
	if (fd == -1 || fstat(fd, &st) == -1 ||
	    (p = buf_reserve(&b, (size_t)st.st_size)) == NULL ||
	    disk_read(fd, p, (size_t)st.st_size, 0) != st.st_size)
		err(1, "history/%s", name);
	close(fd);
	left = span_from(p, (size_t)st.st_size);
	while (history_get(&left, &seq, &e) == 1)
		know(in, &e);
	buf_fini(&b);
}

static DIR *
names_of(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;

	if (d == NULL)
		err(1, "reading a directory");
	return d;
}

static void
read_history(struct importing *in)
{
	int dir = in->tool->store->history_dir;
	DIR *d = names_of(dir);
	struct dirent *e;
	int64_t begin;

	while ((e = readdir(d)) != NULL)
		if (history_name_parse(span_of(e->d_name), &begin))
			read_slice(in, dir, e->d_name);
	closedir(d);
	if (in->nknown > 0)
		qsort(in->known, in->nknown, sizeof *in->known, known_cmp);
}

/* The same message; *taken: another one has its id. */
static bool
is_here(const struct importing *in, uint64_t id, const struct record_message *m,
    bool *taken)
{
	const struct message *have =
	    index_find(store_index(in->tool->store), id);
	const struct known key = { .id = id }, *k = NULL;

	*taken = true;
	if (have != NULL)
		return have->content->size == m->size &&
		    span_is(m->sender, have->sender);
	if (in->nknown > 0)
		k = bsearch(&key, in->known, in->nknown, sizeof key, known_cmp);
	*taken = k != NULL || index_content(store_index(in->tool->store), id);
	return k != NULL && k->size == m->size &&
	    k->sender == sender_hash(m->sender);
}

/* ---- one message -------------------------------------------------------------- */

static void
on_disk(void *arg, const struct reply *failed)
{
	struct one *one = arg;
	struct importing *in = one->in;
	char text[REPLY_LINE_MAX + 1];

	in->under_way--;
	if (failed == NULL)
		in->tool->done++;
	else {
		reply_text(text, sizeof text, failed);
		tool_complain(in->tool, one->id, "not imported: %s", text);
	}
	free(one);
}

static struct record_rcpt *
rows_of(const struct record_message *m)
{
	struct record_rcpt *rows = calloc(m->nrcpts, sizeof *rows);
	struct wire_get w = m->rcpts;

	for (uint32_t i = 0; rows != NULL && i < m->nrcpts; i++)
		(void)record_rcpt_next(&w, true, &rows[i]);
	return rows;
}

struct ending {
	bool done;
	int err;
};

static void
on_ended(void *arg, int error)
{
	struct ending *e = arg;

	e->done = true;
	e->err = error;
}

static void
on_ready(void *arg)
{
	*(bool *)arg = true;
}

/* The content behind the prefix; NULL with errno. */
static struct incoming *
take_content(struct importing *in, int fd, uint64_t id, size_t skip)
{
	static char piece[PIECE];
	struct incoming *c = incoming_new(in->tool->store, id);
	struct ending end = { .done = false };
	off_t at = (off_t)skip;
	bool ready = true;
	ssize_t n;
	int rc = 1;

	if (c == NULL)
		return NULL;
	while (rc != -1 && (n = disk_read(fd, piece, sizeof piece, at)) > 0) {
		ready = false;
		rc = incoming_add(
		    c, span_from(piece, (size_t)n), on_ready, &ready);
		while (rc == 0 && !ready)
			step(in->tool);
		at += n;
	}
	if (rc != -1 && n == 0) {
		incoming_end(c, on_ended, &end);
		while (!end.done)
			step(in->tool);
		if (end.err == 0)
			return c;
		errno = end.err;
	}
	incoming_abort(c);
	return NULL;
}

static int
commit(struct importing *in, struct record_message *m, int fd, uint64_t id)
{
	struct store *s = in->tool->store;
	struct one *one = calloc(1, sizeof *one);
	struct record_rcpt *rows = rows_of(m);
	struct incoming *c = NULL;

	if (one != NULL && rows != NULL)
		c = take_content(in, fd, id, m->prefix.n);
	if (c == NULL) {
		free(one);
		free(rows);
		return -1;
	}
	*one = (struct one){ in, m->id };
	m->id = m->content = id;
	m->flags &= ~(uint32_t)(MESSAGE_COPY | MESSAGE_DAMAGED);
	in->under_way++;
	change_begin(s);
	incoming_commit(c);
	change_message(s, m, rows);
	change_commit(s, on_disk, one);
	free(rows);
	while (in->under_way >= UNDER_WAY_MAX || store_busy(s))
		step(in->tool);
	return 0;
}

/* What a session would have let in: nothing that could be a command to the next
 * host, or a line of its own. */
static bool
is_clean(struct span s, size_t max)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.n <= max;
}

static bool
makes_sense(const struct record_message *m)
{
	struct wire_get rows = m->rcpts;
	struct record_rcpt r;

	while (record_rcpt_next(&rows, true, &r))
		if (r.address.n == 0 || !is_clean(r.address, ADDRESS_MAX) ||
		    !is_clean(r.host, CONF_HOST_MAX) || r.state != RCPT_WAITING)
			return false;
	return is_clean(m->sender, ADDRESS_MAX) && m->prefix.n <= PREFIX_MAX &&
	    m->client.n <= PREFIX_MAX;
}

/* Is the file what was written? */
static bool
is_whole(int fd, const struct record_message *m, const char *want)
{
	static char piece[PIECE];
	uint8_t hash[EXPORT_HASH];
	char text[2 * EXPORT_HASH + 1];
	crypto_generichash_state st;
	off_t at = 0;
	ssize_t n;

	crypto_generichash_init(&st, NULL, 0, sizeof hash);
	while ((n = disk_read(fd, piece, sizeof piece, at)) > 0) {
		crypto_generichash_update(
		    &st, (const uint8_t *)piece, (size_t)n);
		at += n;
	}
	crypto_generichash_final(&st, hash, sizeof hash);
	sodium_bin2hex(text, sizeof text, hash, sizeof hash);
	return n == 0 && (uint64_t)at == m->prefix.n + m->size &&
	    strcmp(text, want) == 0;
}

/* A message is known by its id; where another one has it, the next free one is
 * tried, each time in the same order. */
static void
import_record(
    struct importing *in, uint64_t id, struct span record, const char *hash)
{
	struct record_message m;
	char text[ID_LEN + 1], name[NAME_MAX_];
	bool taken = true;
	uint64_t as;
	int fd;

	if (record_message_get(record, &m) == -1 || m.id != id ||
	    !makes_sense(&m)) {
		tool_complain(in->tool, id, "its envelope makes no sense");
		return;
	}
	for (as = id; taken; as++)
		if (is_here(in, as, &m, &taken)) {
			in->tool->skipped++;
			return;
		}
	as--;
	id_format(text, id);
	snprintf(name, sizeof name, "%s.eml", text);
	fd = openat(in->tool->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		tool_complain(in->tool, id, "%s: %s", name, strerror(errno));
	else if (!is_whole(fd, &m, hash))
		tool_complain(
		    in->tool, id, "%s is not what was exported", name);
	else if (commit(in, &m, fd, as) == -1)
		tool_complain(in->tool, id, "%s: %s", name, strerror(errno));
	if (fd != -1)
		close(fd);
}

/* ---- envelopes ------------------------------------------------------------------ */

static json_t *
load_json(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	json_t *o = NULL;
	struct stat st;
	struct buf b;
	char *p;

	buf_init(&b, EXPORT_ENVELOPE_MAX);
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= EXPORT_ENVELOPE_MAX &&
	    (p = buf_reserve(&b, (size_t)st.st_size)) != NULL &&
	    disk_read(fd, p, (size_t)st.st_size, 0) == st.st_size)
		o = json_loadb(p, (size_t)st.st_size, JSON_ALLOW_NUL, NULL);
	if (fd != -1)
		close(fd);
	buf_fini(&b);
	return o;
}

static void
import_one(struct importing *in, uint64_t id)
{
	char text[ID_LEN + 1], name[NAME_MAX_];
	const char *record, *hash;
	int version = 0;
	size_t n = 0, digits;
	char *bytes = NULL;
	json_t *o;

	id_format(text, id);
	snprintf(name, sizeof name, "%s.json", text);
	o = load_json(in->tool->dir, name);
	if (o == NULL ||
	    json_unpack(o, "{s:i,s:s,s:s}", "version", &version, "record",
		&record, "eml", &hash) == -1)
		tool_complain(in->tool, id, "%s is no envelope", name);
	else if (version != EXPORT_VERSION)
		tool_complain(in->tool, id, "%s is of version %d, not %d", name,
		    version, EXPORT_VERSION);
	else {
		digits = strlen(record);
		bytes = malloc(digits / 2 + 1);
		if (bytes == NULL ||
		    sodium_hex2bin((unsigned char *)bytes, digits / 2 + 1,
			record, digits, NULL, &n, NULL) == -1)
			tool_complain(in->tool, id, "%s is damaged", name);
		else
			import_record(in, id, span_from(bytes, n), hash);
	}
	free(bytes);
	json_decref(o);
}

static int
id_cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
list_ids(struct importing *in)
{
	DIR *d = names_of(in->tool->dir);
	struct dirent *e;
	uint64_t *grown, id;

	while ((e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);

		if (n != ID_LEN + 5 ||
		    strcmp(e->d_name + ID_LEN, ".json") != 0 ||
		    !id_parse(span_from(e->d_name, ID_LEN), &id))
			continue;
		if (in->nids == in->cap_ids) {
			in->cap_ids = 2 * in->cap_ids + 1024;
			grown =
			    reallocarray(in->ids, in->cap_ids, sizeof *grown);
			if (grown == NULL)
				err(1, "the directory");
			in->ids = grown;
		}
		in->ids[in->nids++] = id;
	}
	closedir(d);
	/* In the order of their acceptance. */
	if (in->nids > 0)
		qsort(in->ids, in->nids, sizeof *in->ids, id_cmp);
}

static void
on_closed(void *arg)
{
	*(bool *)arg = true;
}

void
tool_import(struct tool *t)
{
	struct importing in = { .tool = t };
	bool closed = false;

	store_threads(t->store);
	store_begin(t->store, t->base);
	read_history(&in);
	list_ids(&in);
	for (size_t i = 0; i < in.nids; i++) {
		import_one(&in, in.ids[i]);
		tool_progress(t);
	}
	while (in.under_way > 0)
		step(t);
	store_close(t->store, on_closed, &closed);
	while (!closed)
		step(t);
	free(in.known);
	free(in.ids);
	store_free(t->store);
}
