/*
 * index.c - every message that is not done, by id; every content, by number.
 *
 * One function, index_apply, turns records into this; nothing else in queue
 * changes what a message is.  A message is one allocation with its recipients
 * and their local parts; domains are shared by all who have them.
 */
#include <stdlib.h>

#include <bsd/string.h>

#include "queue/content_index.h"
#include "queue/domains.h"
#include "queue/segment.h"

RB_HEAD(messages, message);

struct index {
	struct messages messages;
	struct content_index contents;
	struct domains domains;
	struct index_hooks hooks;
	size_t nmessages, nleft;
	uint64_t highest;
};

static int
message_cmp(struct message *a, struct message *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

/* RB_GENERATE_STATIC of libbsd needs an __unused that it does not define. */
RB_GENERATE_INTERNAL(
    messages, message, by_id, message_cmp, __attribute__((__unused__)) static)
struct index *
index_new(void)
{
	struct index *ix = calloc(1, sizeof *ix);

	if (ix == NULL)
		return NULL;
	RB_INIT(&ix->messages);
	content_index_init(&ix->contents);
	domains_init(&ix->domains);
	return ix;
}

void
index_hooks(struct index *ix, const struct index_hooks *hooks)
{
	ix->hooks = *hooks;
}

/* ---- messages --------------------------------------------------------------- */

static void
message_unplace(struct message *m)
{
	struct segment *s = m->place.segment;

	if (s == NULL)
		return;
	TAILQ_REMOVE(&s->messages, m, in_segment);
	s->live -= m->place.size;
	m->place = (struct place){ .segment = NULL };
}

static void
message_place(struct message *m, struct place place)
{
	struct segment *s = place.segment;

	message_unplace(m);
	m->place = place;
	if (s == NULL)
		return;
	TAILQ_INSERT_TAIL(&s->messages, m, in_segment);
	s->live += place.size;
}

static void
message_free(struct index *ix, struct message *m)
{
	for (uint32_t i = 0; i < m->nrcpts; i++)
		domains_release(&ix->domains, m->rcpts[i].domain);
	free(m);
}

static void
message_remove(struct index *ix, struct message *m)
{
	RB_REMOVE(messages, &ix->messages, m);
	ix->nmessages--;
	ix->nleft -= m->left;
	message_unplace(m);
	if (ix->hooks.gone != NULL)
		ix->hooks.gone(ix->hooks.arg, m);
	content_refer(&ix->contents, m->content, -1);
	message_free(ix, m);
}

static bool
is_final(unsigned state)
{
	return state != RCPT_WAITING;
}

static void
rcpt_take(struct index *ix, struct message *m, const struct record_rcpt *row,
    struct place place)
{
	struct recipient *r = &m->rcpts[row->index];
	int was = is_final(r->state), is = is_final(row->state);

	m->left -= (uint32_t)(is - was);
	ix->nleft -= (size_t)(is - was);
	r->state = (uint8_t)row->state;
	r->code = row->reply.code;
	r->attempts =
	    row->attempts < UINT16_MAX ? (uint16_t)row->attempts : UINT16_MAX;
	r->next = row->next;
	r->last =
	    row->reply.code != 0 ? place : (struct place){ .segment = NULL };
}

static struct span
local_of(struct span address)
{
	for (size_t i = address.n; i-- > 0;)
		if (address.p[i] == '@')
			return span_from(address.p, i);
	return address;
}

static char *
keep(char **strings, struct span s)
{
	char *at = *strings;

	if (s.n > 0)
		memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	*strings += s.n + 1;
	return at;
}

/* One allocation: the message, its recipients, their local parts, the sender. */
static struct message *
message_make(struct index *ix, const struct record_message *rec)
{
	size_t fixed =
	    sizeof(struct message) + rec->nrcpts * sizeof(struct recipient);
	size_t strings = rec->sender.n + 1;
	struct wire_get rows = rec->rcpts;
	struct record_rcpt row;
	struct message *m;
	char *at;

	while (record_rcpt_next(&rows, true, &row))
		strings += local_of(row.address).n + 1;
	if ((m = calloc(1, fixed + strings)) == NULL)
		return NULL;
	at = (char *)m + fixed;
	m->id = rec->id;
	m->body = (uint8_t)rec->body;
	m->nrcpts = m->left = rec->nrcpts;
	m->sender = keep(&at, rec->sender);
	rows = rec->rcpts;
	while (record_rcpt_next(&rows, true, &row)) {
		struct recipient *r = &m->rcpts[row.index];
		struct span local = local_of(row.address);

		r->message = m;
		r->local = keep(&at, local);
		r->domain = domains_hold(
		    &ix->domains, span_skip(row.address, local.n + 1));
		if (r->domain == NULL) {
			message_free(ix, m);
			return NULL;
		}
	}
	return m;
}

static bool
all_final(const struct record_message *rec)
{
	struct wire_get rows = rec->rcpts;
	struct record_rcpt row;

	while (record_rcpt_next(&rows, true, &row))
		if (!is_final(row.state))
			return false;
	return true;
}

static struct message *
message_add(struct index *ix, const struct record_message *rec)
{
	struct content *c =
	    content_make(&ix->contents, rec->content, rec->size);
	struct message *m = c != NULL ? message_make(ix, rec) : NULL;

	if (m == NULL)
		return NULL;
	m->content = c;
	content_refer(&ix->contents, c, 1);
	RB_INSERT(messages, &ix->messages, m);
	ix->nmessages++;
	ix->nleft += m->left;
	return m;
}

static int
apply_message(struct index *ix, const struct record *rec, struct place place)
{
	struct record_message get;
	struct wire_get rows;
	struct record_rcpt row;
	struct message *m;
	bool known;

	if (record_message_get(rec->payload, &get) == -1)
		return -1;
	index_seen(ix, get.id);
	if (all_final(&get)) {
		index_done(ix, get.id);
		return 0;
	}
	m = index_find(ix, get.id);
	known = m != NULL;
	if (known &&
	    (m->nrcpts != get.nrcpts || m->content->number != get.content))
		return -1;
	if (!known && (m = message_add(ix, &get)) == NULL)
		return -1;
	m->flags = get.flags & ~(uint32_t)MESSAGE_COPY;
	message_place(m, place);
	rows = get.rcpts;
	while (record_rcpt_next(&rows, true, &row)) {
		rcpt_take(ix, m, &row, place);
		m->rcpts[row.index].held = row.held;
	}
	if (!known && ix->hooks.added != NULL)
		ix->hooks.added(ix->hooks.arg, m);
	return 0;
}

static int
apply_result(struct index *ix, const struct record *rec, struct place place)
{
	struct record_result get;
	struct wire_get rows;
	struct record_rcpt row;
	struct message *m;

	if (record_result_get(rec->payload, &get) == -1)
		return -1;
	index_seen(ix, get.id);
	if ((m = index_find(ix, get.id)) == NULL)
		return 0;
	for (rows = get.rcpts; record_rcpt_next(&rows, false, &row);)
		if (row.index >= m->nrcpts)
			return -1;
	for (rows = get.rcpts; record_rcpt_next(&rows, false, &row);) {
		rcpt_take(ix, m, &row, place);
		if (ix->hooks.changed != NULL)
			ix->hooks.changed(ix->hooks.arg, m, row.index);
	}
	if (m->left == 0)
		message_remove(ix, m);
	return 0;
}

/* A hold outlives the results of attempts that were under way. */
static void
rcpt_order(struct recipient *r, enum record_type type, int64_t time)
{
	if (type != RECORD_RETRY)
		r->held = type == RECORD_HOLD;
	if (type != RECORD_HOLD)
		r->next = time;
}

static int
apply_order(struct index *ix, const struct record *rec)
{
	struct record_order get;
	struct wire_get rcpts;
	struct message *m;
	uint32_t i;

	if (record_order_get(rec->payload, &get) == -1)
		return -1;
	index_seen(ix, get.id);
	if ((m = index_find(ix, get.id)) == NULL)
		return 0;
	for (rcpts = get.rcpts; record_order_next(&rcpts, &i);)
		if (i >= m->nrcpts)
			return -1;
	for (rcpts = get.rcpts; record_order_next(&rcpts, &i);) {
		if (is_final(m->rcpts[i].state))
			continue;
		rcpt_order(&m->rcpts[i], rec->type, get.time);
		if (ix->hooks.ordered != NULL)
			ix->hooks.ordered(ix->hooks.arg, m, i, rec->type);
	}
	return 0;
}

int
index_apply(struct index *ix, const struct record *rec, struct place place)
{
	struct record_content content;

	switch (rec->type) {
	case RECORD_MESSAGE:
		return apply_message(ix, rec, place);
	case RECORD_RESULT:
		return apply_result(ix, rec, place);
	case RECORD_HOLD:
	case RECORD_RELEASE:
	case RECORD_RETRY:
		return apply_order(ix, rec);
	case RECORD_CONTENT:
	case RECORD_CONTENT_FILE:
		if (record_content_get(rec, &content) == -1)
			return -1;
		index_content_at(ix, content.number, content.size,
		    rec->type == RECORD_CONTENT_FILE, place);
		return 0;
	default:
		return 0; /* nothing that a message is made of */
	}
}

void
index_done(struct index *ix, uint64_t id)
{
	struct message *m = index_find(ix, id);

	index_seen(ix, id);
	if (m != NULL)
		message_remove(ix, m);
}

void
index_seen(struct index *ix, uint64_t id)
{
	if (id > ix->highest)
		ix->highest = id;
}

/* ---- questions --------------------------------------------------------------- */

struct message *
index_find(struct index *ix, uint64_t id)
{
	struct message key = { .id = id };

	return RB_FIND(messages, &ix->messages, &key);
}

struct message *
index_first(struct index *ix)
{
	return RB_MIN(messages, &ix->messages);
}

struct message *
index_after(struct index *ix, uint64_t id)
{
	struct message key = { .id = id + 1 };

	return id < UINT64_MAX ? RB_NFIND(messages, &ix->messages, &key) : NULL;
}

struct content *
index_content(struct index *ix, uint64_t number)
{
	return content_find(&ix->contents, number);
}

void
index_content_at(struct index *ix, uint64_t number, uint64_t size, bool file,
    struct place place)
{
	content_move(&ix->contents, number, size, file, place);
	index_seen(ix, number);
}

void
index_sweep(struct index *ix,
    void (*dropped)(void *arg, const struct content *), void *arg)
{
	content_sweep(&ix->contents, dropped, arg);
}

size_t
index_messages(const struct index *ix)
{
	return ix->nmessages;
}

size_t
index_recipients(const struct index *ix)
{
	return ix->nleft;
}

uint64_t
index_highest(const struct index *ix)
{
	return ix->highest;
}

size_t
index_address(const struct recipient *r, char *dst, size_t size)
{
	size_t n = strlcpy(dst, r->local, size);

	if (r->domain[0] != '\0') {
		n = strlcat(dst, "@", size);
		n = strlcat(dst, r->domain, size);
	}
	return n < size ? n : size - 1;
}

void
index_free(struct index *ix)
{
	struct message *m;

	if (ix == NULL)
		return;
	ix->hooks = (struct index_hooks){ .gone = NULL };
	while ((m = index_first(ix)) != NULL)
		message_remove(ix, m);
	index_sweep(ix, NULL, NULL);
	free(ix);
}
