/*
 * expand.c - see expand.h.
 *
 * Depth first, so that a list keeps its order.  Every address is looked at once:
 * lists that contain each other cost what they hold.
 */
#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "lookup/expand.h"

/* Of a packet's body, what rows may take. */
#define ROWS_BYTES (IPC_BODY_MAX - 64)

/* An address that was met. */
struct node {
	RB_ENTRY(node) by_key;
	TAILQ_ENTRY(node) in_rows;
	const struct node *owner; /* reverse-path, where it is a row; or NULL */
	bool row;
	bool again;
	bool alias; /* one has this name */
	bool open;  /* an alias, whose targets are being looked at … */
	bool done;  /* … or were */
	char *address;
	char key[]; /* what makes two of them the same */
};

RB_HEAD(nodes, node);
TAILQ_HEAD(rows, node);

struct expansion {
	const struct conf *conf;
	const struct files *files;
	struct nodes nodes;
	struct rows rows;
	struct node **row; /* the same, once all are there */
	uint32_t n;
	bool no_memory;
	struct reply *reply;
};

static int
node_cmp(const struct node *a, const struct node *b)
{
	return strcmp(a->key, b->key);
}

RB_GENERATE_INTERNAL(
    nodes, node, by_key, node_cmp, __attribute__((__unused__)) static)

static bool
failed(const struct expansion *e)
{
	return e->no_memory || e->reply->code != 250;
}

/* ---- addresses ------------------------------------------------------------ */

/* The node of an address: in our own domains the case of letters means
 * nothing. */
static struct node *
node_of(struct expansion *e, const struct address *a)
{
	bool ours = conf_domain(e->conf, address_domain(a)) != NULL;
	size_t n = (size_t)a->n + 1;
	struct node *node = malloc(sizeof *node + 2 * n), *there;

	if (node == NULL) {
		e->no_memory = true;
		return NULL;
	}
	*node = (struct node){ .address = node->key + n };
	memcpy(node->address, a->text, n);
	memcpy(node->key, a->text, n);
	for (char *p = node->key; ours && *p != '\0'; p++)
		*p = ascii_lower(*p);
	if ((there = RB_INSERT(nodes, &e->nodes, node)) == NULL)
		return node;
	free(node);
	return there;
}

static void
emit(struct expansion *e, struct node *node, const struct node *owner,
    bool again)
{
	if (node->row)
		return;
	if (e->n == EXPAND_MAX) {
		reply_make(e->reply, R_ALIAS_TOO_LARGE, NULL);
		return;
	}
	node->row = true;
	node->again = again;
	node->owner = owner;
	TAILQ_INSERT_TAIL(&e->rows, node, in_rows);
	e->n++;
}

/* postmaster, and root who has no mailbox: where no user has the name, its mail
 * goes on to somebody else. */
static bool
is_role(const struct conf_domain *d, const struct address *a)
{
	return names_is(a, "postmaster") ||
	    (d->users == USERS_SYSTEM && names_is(a, "root"));
}

/* ---- aliases -------------------------------------------------------------- */

static void visit(struct expansion *, const struct address *,
    const struct node *owner, unsigned depth);

/* Can all that it includes be read? */
static bool
is_whole(const struct alias *alias)
{
	struct span rest = alias->entry->targets;
	struct alias_target t;

	for (alias_next(&rest, &t); t.kind != ALIAS_END; alias_next(&rest, &t))
		if (t.kind == ALIAS_INCLUDE &&
		    alias_included(alias, &t) == NULL)
			return false;
	return true;
}

/* owner-NAME, where there is such an alias: failures of a list are told to
 * whoever keeps it (RFC 5321 section 3.9.2). */
static const struct node *
owner_of(struct expansion *e, const struct conf_domain *d,
    const struct alias *alias, const struct node *owner)
{
	char text[ADDRESS_MAX + 64], local[ADDRESS_LOCAL_MAX + 1];
	static const char prefix[] = "owner-";
	struct names names = { .n = 1 };
	struct alias found;
	struct address a;
	struct span name = alias->entry->name;

	if (span_starts(name, prefix) || name.n + sizeof prefix > sizeof local)
		return owner;
	memcpy(local, prefix, sizeof prefix);
	span_copy(local + sizeof prefix - 1, sizeof local - (sizeof prefix - 1),
	    name);
	memcpy(names.name[0], local, sizeof local);
	if (alias_find(&found, e->files, d, &names) == ALIAS_NONE)
		return owner;
	if (snprintf(text, sizeof text, "%s@%s", local, d->name) >=
		(int)sizeof text ||
	    address_parse(&a, span_of(text)) == -1)
		return owner;
	return node_of(e, &a);
}

static void
visit_address(struct expansion *e, const struct conf_domain *d,
    const struct alias_target *t, const struct node *owner, unsigned depth)
{
	struct address a = t->address;
	struct node *node;

	if (address_qualify(&a, span_of(d->name)) == -1)
		return; /* too long for any mail system */
	if (t->kind == ALIAS_ADDRESS) {
		visit(e, &a, owner, depth);
		return;
	}
	if ((node = node_of(e, &a)) != NULL) {
		node->alias = true;
		emit(e, node, owner, false);
	}
}

static void
visit_included(struct expansion *e, const struct conf_domain *d,
    const struct included_table *t, const struct node *owner, unsigned depth)
{
	struct span rest = span_from(t->text, t->n);
	struct alias_target target;

	for (alias_next_included(&rest, &target);
	     target.kind != ALIAS_END && !failed(e);
	     alias_next_included(&rest, &target))
		if (target.kind == ALIAS_ADDRESS)
			visit_address(e, d, &target, owner, depth);
}

static void
visit_targets(struct expansion *e, const struct conf_domain *d,
    const struct alias *alias, const struct node *owner, unsigned depth)
{
	struct span rest = alias->entry->targets;
	struct alias_target t;

	owner = owner_of(e, d, alias, owner);
	for (alias_next(&rest, &t); t.kind != ALIAS_END && !failed(e);
	     alias_next(&rest, &t))
		if (t.kind == ALIAS_INCLUDE)
			visit_included(
			    e, d, alias_included(alias, &t), owner, depth);
		else if (t.kind == ALIAS_ADDRESS || t.kind == ALIAS_MAILBOX)
			visit_address(e, d, &t, owner, depth);
}

/* It is among its own targets, or theirs. */
static void
loop(struct expansion *e, const struct conf_domain *d,
    const struct alias *alias, struct node *node, const struct node *owner)
{
	struct address a;

	log_warn("alias_loop", log_str("file", alias->path),
	    log_num("line", alias->entry->line),
	    log_str("address", node->address));
	/* Nobody would ever read it; it waits until the file is mended. */
	if (address_parse(&a, span_of(node->address)) == 0 && is_role(d, &a))
		reply_make(e->reply, R_TABLE_ERROR, NULL);
	else
		emit(e, node, owner, false);
}

static bool
names_itself(const struct alias *alias, const struct address *a)
{
	struct span rest = alias->entry->targets;
	struct alias_target t;

	for (alias_next(&rest, &t); t.kind != ALIAS_END; alias_next(&rest, &t))
		if (t.kind == ALIAS_ADDRESS &&
		    span_case_eq(address_local(&t.address), address_local(a)) &&
		    (t.address.at == t.address.n ||
			span_eq(address_domain(&t.address), address_domain(a))))
			return true;
	return false;
}

static void
visit_alias(struct expansion *e, const struct conf_domain *d,
    const struct address *a, const struct alias *alias, struct node *node,
    const struct node *owner, unsigned depth)
{
	node->alias = true;
	if (node->open && names_itself(alias, a))
		emit(e, node, owner, false);
	else if (node->open)
		loop(e, d, alias, node, owner);
	else if (node->done)
		return;
	else if (depth > EXPAND_DEPTH_MAX)
		reply_make(e->reply, R_ALIAS_TOO_LARGE, NULL);
	else if (is_whole(alias)) {
		node->open = true;
		visit_targets(e, d, alias, owner, depth + 1);
		node->open = false;
		node->done = true;
	} else if (depth > 1)
		emit(e, node, owner, true);
	else
		reply_make(e->reply, R_TABLE_ERROR, NULL);
}

static void
visit(struct expansion *e, const struct address *a, const struct node *owner,
    unsigned depth)
{
	const struct conf_domain *d = conf_domain(e->conf, address_domain(a));
	struct node *node = node_of(e, a);
	struct names names = { .n = 0 };
	struct alias alias;

	if (node == NULL)
		return;
	if (d == NULL || !names_of(&names, a, d->plus[0])) {
		emit(e, node, owner, false);
		return;
	}
	switch (alias_find(&alias, e->files, d, &names)) {
	case ALIAS_NONE:
		if (node->open)
			reply_make(e->reply, R_TABLE_ERROR, NULL);
		else
			emit(e, node, owner, is_role(d, a));
		break;
	case ALIAS_BROKEN:
		emit(e, node, owner, true);
		break;
	case ALIAS_FOUND:
		visit_alias(e, d, a, &alias, node, owner, depth);
		break;
	}
}

/* ---- the whole ------------------------------------------------------------ */

/* What was asked for is not to be met again on the way; an address that is
 * no alias is the end itself. */
static void
begin(struct expansion *e, const struct address *origin,
    const struct address *start)
{
	const struct conf_domain *d =
	    conf_domain(e->conf, address_domain(start));
	struct node *first = node_of(e, origin), *node = node_of(e, start);
	struct names names = { .n = 0 };
	struct alias alias;

	if (first == NULL || node == NULL)
		return;
	if (d == NULL || !names_of(&names, start, d->plus[0]) ||
	    alias_find(&alias, e->files, d, &names) != ALIAS_FOUND) {
		emit(e, node, NULL, false);
		return;
	}
	if (first != node)
		first->open = true;
	visit(e, start, NULL, 1);
}

static void
number_rows(struct expansion *e)
{
	struct node *node;
	uint32_t i = 0;

	e->row = calloc((size_t)e->n + 1, sizeof(struct node *));
	if (e->row == NULL) {
		e->no_memory = true;
		return;
	}
	TAILQ_FOREACH (node, &e->rows, in_rows)
		e->row[i++] = node;
}

struct expansion *
expansion_new(const struct conf *conf, const struct files *files,
    const struct address *origin, const struct address *start,
    struct reply *reply)
{
	struct expansion *e = calloc(1, sizeof *e);

	reply_make(reply, R_RCPT_OK, NULL);
	if (e == NULL)
		return NULL;
	e->conf = conf;
	e->files = files;
	e->reply = reply;
	RB_INIT(&e->nodes);
	TAILQ_INIT(&e->rows);
	begin(e, origin, start);
	number_rows(e);
	if (!e->no_memory)
		return e;
	expansion_free(e);
	return NULL;
}

void
expansion_free(struct expansion *e)
{
	struct node *node;

	if (e == NULL)
		return;
	while ((node = RB_ROOT(&e->nodes)) != NULL) {
		RB_REMOVE(nodes, &e->nodes, node);
		free(node);
	}
	free(e->row);
	free(e);
}

uint32_t
expansion_total(const struct expansion *e)
{
	return e->n;
}

void
expansion_rows(const struct expansion *e, uint32_t at, struct msg_expanded *m)
{
	size_t bytes = 0;

	m->at = at;
	m->total = e->n;
	m->n = 0;
	for (; m->n < EXPAND_ROWS_MAX && at + m->n < e->n; m->n++) {
		const struct node *node = e->row[at + m->n];
		struct expand_row *row = &m->rows[m->n];

		row->address = span_of(node->address);
		row->owner = node->owner != NULL ? span_of(node->owner->address)
						 : SPAN("");
		row->again = node->again;
		row->alias = node->alias;
		bytes += row->address.n + row->owner.n + 16;
		if (bytes > ROWS_BYTES)
			return;
	}
}
