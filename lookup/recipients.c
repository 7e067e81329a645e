/*
 * recipients.c - see recipients.h.
 */
#include <bsd/sys/queue.h>

#include <bsd/string.h>
#include <stdlib.h>
#include <time.h>

#include "common/bytes/log.h"
#include "common/run/process.h"
#include "lookup/alias.h"
#include "lookup/files.h"
#include "lookup/foreign.h"
#include "lookup/names.h"
#include "lookup/paths.h"
#include "lookup/recipients.h"
#include "lookup/tables/users_file.h"

#define POSTMASTER_WARN (3600 * 1000)
/* How often an address may have moved. */
#define MOVES_MAX 10

/* Who gets the mail of a role that nobody has. */
enum heir {
	HEIR_NONE,
	HEIR_POSTMASTER, /* root's: the domain's postmaster */
	HEIR_SETTING	 /* postmaster's: conf->postmaster */
};

struct question {
	TAILQ_ENTRY(question) link;
	struct recipients *in;
	resolution_answer *answer;
	void *arg;
	struct address address;
	const struct conf_domain *domain;
	unsigned moves;
	bool expanded;
	bool was_alias;
	enum heir heir; /* whose mail it is where nobody has the name */
	struct names names;
	size_t tried;
	struct resolution r;
};

struct recipients {
	const struct conf *conf;
	struct accounts *accounts;
	bool root;
	struct files *files;
	int64_t warned; /* that postmaster has no mailbox */
	TAILQ_HEAD(, question) open;
};

static void begin(struct question *);

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the end of a question ----------------------------------------------- */

static void
question_free(struct question *q)
{
	TAILQ_REMOVE(&q->in->open, q, link);
	free(q);
}

static void
finish(struct question *q)
{
	struct resolution r = q->r;
	resolution_answer *answer = q->answer;
	void *arg = q->arg;

	question_free(q);
	answer(arg, &r);
}

static void
refuse(struct question *q, enum reply_name name)
{
	reply_make(&q->r.reply, name, q->address.text);
	finish(q);
}

static void
found(struct question *q, enum reply_scope scope)
{
	q->r.start = q->address;
	if (q->heir != HEIR_NONE && !q->expanded)
		q->r.expands = true;
	if (q->r.moved) {
		memcpy(q->r.forward, q->address.text, sizeof q->r.forward);
		reply_make(&q->r.reply, R_WILL_FORWARD, q->r.forward);
	} else {
		reply_make(&q->r.reply, R_RCPT_OK, NULL);
		q->r.reply.scope = scope;
	}
	finish(q);
}

/* It is an alias, or another's in whose place this one is. */
static void
expands(struct question *q)
{
	q->r.expands = true;
	found(q, SCOPE_RECIPIENT);
}

/* RFC 5321 section 4.5.1 wants postmaster's mail accepted, so it has to wait
 * until the administrator has given it a mailbox. */
static void
postmaster_missing(struct question *q)
{
	int64_t now = now_ms();

	if (q->in->warned == 0 || now - q->in->warned > POSTMASTER_WARN)
		log_error("postmaster_without_mailbox",
		    log_str("postmaster", q->in->conf->postmaster),
		    log_str("reason",
			"set postmaster to an address that gets mail, or make "
			"an alias"));
	q->in->warned = now;
	refuse(q, R_TABLE_ERROR);
}

/* The next heir's address, if there is one. */
static bool
inherit(struct question *q)
{
	char text[sizeof "postmaster@" + ADDRESS_DOMAIN_MAX] = "postmaster@";
	struct address old = q->address;

	if (q->heir == HEIR_NONE && q->domain->users == USERS_SYSTEM &&
	    names_is(&old, "root")) {
		q->heir = HEIR_POSTMASTER;
		strlcat(text, q->domain->name, sizeof text);
		return address_parse(&q->address, span_of(text)) == 0;
	}
	if (q->heir == HEIR_SETTING || !names_is(&old, "postmaster"))
		return false;
	q->heir = HEIR_SETTING;
	return address_parse(&q->address, span_of(q->in->conf->postmaster)) ==
	    0;
}

static void
no_such_user(struct question *q)
{
	if (inherit(q))
		begin(q);
	else if (q->r.postmaster || q->heir != HEIR_NONE)
		postmaster_missing(q);
	else
		refuse(q, q->was_alias ? R_ALIAS_LOOP : R_NO_SUCH_USER);
}

/* --- domains of others --------------------------------------------------- */

static void
to_others(struct question *q)
{
	enum reply_name name;

	/* It is another address there, and an envelope keeps its own. */
	if (q->heir != HEIR_NONE) {
		/* Mail for our own name would come back. */
		if (q->expanded ||
		    span_is(address_domain(&q->address), q->in->conf->hostname))
			postmaster_missing(q);
		else
			expands(q);
		return;
	}
	q->r.foreign = true;
	name = foreign_route(
	    &q->r.route, q->in->conf, address_domain(&q->address));
	if (name == R_RCPT_OK)
		found(q, SCOPE_DOMAIN);
	else
		refuse(q, name);
}

/* --- users --------------------------------------------------------------- */

/* The user is `name`; `mailbox` is from a users file, or "". */
static void
to_user(struct question *q, struct span name, struct span mailbox)
{
	const struct conf_domain *d = q->domain;
	struct route *route = &q->r.route;
	enum reply_scope scope =
	    d->users == USERS_ANY ? SCOPE_DOMAIN : SCOPE_RECIPIENT;
	bool fits;

	*route = (struct route){ .kind = ROUTE_LMTP, .port = d->port };
	if (d->deliver == DELIVER_LMTP) {
		span_copy(route->host, sizeof route->host, span_of(d->host));
		found(q, scope);
		return;
	}
	route->port = 0;
	route->kind = d->users == USERS_SYSTEM ? ROUTE_MAILDIR_SYSTEM
					       : ROUTE_MAILDIR_VIRTUAL;
	if (d->users == USERS_SYSTEM)
		span_copy(route->user, sizeof route->user, name);
	else if (d->owner[0] != '\0')
		span_copy(route->user, sizeof route->user, span_of(d->owner));
	else if (q->in->root)
		span_copy(route->user, sizeof route->user, SPAN(USER_MAILBOX));
	fits = mailbox.n > 0 ? path_of_mailbox(route->path, d, mailbox)
			     : path_expand(route->path, d, name);
	if (fits)
		found(q, scope);
	else
		refuse(q, R_TABLE_ERROR);
}

static void try_system(struct question *);

static void
on_account(void *arg, const struct account *a)
{
	struct question *q = arg;

	if (a->state == ACCOUNT_ERROR)
		refuse(q, R_TABLE_ERROR);
	else if (a->state == ACCOUNT_FOUND && a->uid != 0 &&
	    a->uid >= q->in->conf->min_uid)
		to_user(q, span_of(a->name), SPAN(""));
	else
		try_system(q);
}

static void
try_system(struct question *q)
{
	if (q->tried == q->names.n) {
		no_such_user(q);
		return;
	}
	accounts_ask(
	    q->in->accounts, span_of(q->names.name[q->tried++]), on_account, q);
}

/* What the administrator, or his quota program, says of the mailbox. */
static void
to_entry(struct question *q, const struct users_entry *e)
{
	struct span state = users_entry_value(e, "state");

	if (span_eq(state, SPAN("full")))
		refuse(q, R_OVER_QUOTA);
	else if (span_eq(state, SPAN("busy")))
		refuse(q, R_MAILBOX_CLOSED);
	else
		to_user(q, e->local, users_entry_value(e, "mailbox"));
}

static void
try_file(struct question *q)
{
	const struct table_file *file =
	    files_of(q->in->files, q->domain, USERS_FORM_VALUES);
	enum users_result result = USERS_FILE_NONE;
	const struct users_entry *e = NULL;

	while (result == USERS_FILE_NONE && q->tried < q->names.n)
		result = users_file_find(
		    file, span_of(q->names.name[q->tried++]), &e);
	if (result == USERS_FILE_FOUND)
		to_entry(q, e);
	else if (result == USERS_FILE_NONE)
		no_such_user(q);
	else
		refuse(q, R_TABLE_ERROR);
}

/* Every name there is belongs to somebody: the one without what `plus` cuts
 * off, in lower case, which is the last of the names. */
static void
try_any(struct question *q)
{
	to_user(q, span_of(q->names.name[q->names.n - 1]), SPAN(""));
}

/* --- users who moved ------------------------------------------------------ */

static void
to_new_address(struct question *q, struct span address)
{
	struct address old = q->address;

	if (++q->moves > MOVES_MAX ||
	    address_parse_utf8(&q->address, address) == -1) {
		log_warn("moves_in_circles", log_str("rcpt", old.text));
		refuse(q, R_TABLE_ERROR);
	} else if (q->domain->moved_tell)
		refuse(q, R_USER_MOVED);
	else {
		q->r.moved = true;
		begin(q);
	}
}

/* True: it is answered, or will be. */
static bool
has_moved(struct question *q)
{
	const struct table_file *file =
	    files_of(q->in->files, q->domain, USERS_FORM_MOVED);
	enum users_result result = USERS_FILE_NONE;
	const struct users_entry *e = NULL;

	if (file == NULL)
		return false;
	for (size_t i = 0; result == USERS_FILE_NONE && i < q->names.n; i++)
		result = users_file_find(file, span_of(q->names.name[i]), &e);
	if (result == USERS_FILE_FOUND)
		to_new_address(q, e->values);
	else if (result != USERS_FILE_NONE)
		refuse(q, R_TABLE_ERROR);
	return result != USERS_FILE_NONE;
}

/* --- aliases --------------------------------------------------------------- */

/* True: it is answered. */
static bool
is_alias(struct question *q)
{
	struct alias alias;
	enum alias_result result =
	    alias_find(&alias, q->in->files, q->domain, &q->names);

	q->was_alias = result != ALIAS_NONE;
	if (q->expanded || result == ALIAS_NONE)
		return false;
	if (result == ALIAS_FOUND)
		expands(q);
	else
		refuse(q, R_TABLE_ERROR);
	return true;
}

/* --- the beginning ------------------------------------------------------- */

static void
begin(struct question *q)
{
	static void (*const try[USERS_END])(struct question *) = {
		[USERS_SYSTEM] = try_system,
		[USERS_FILE] = try_file,
		[USERS_ANY] = try_any,
	};
	q->domain = conf_domain(q->in->conf, address_domain(&q->address));
	q->tried = 0;
	if (q->domain == NULL)
		to_others(q);
	else if (q->domain->refuse)
		refuse(q, R_DOMAIN_REFUSES);
	else if (!names_of(&q->names, &q->address, q->domain->plus[0]))
		refuse(q, R_MAILBOX_NAME);
	else {
		if (names_is(&q->address, "postmaster"))
			q->r.postmaster = true;
		if (!has_moved(q) && !is_alias(q))
			try[q->domain->users](q);
	}
}

/* "postmaster" alone is that of the first domain, or without any domain
 * conf->postmaster's. */
static bool
parse(struct question *q, struct span rcpt)
{
	const struct conf *conf = q->in->conf;
	char text[ADDRESS_MAX + 1];
	struct span to = rcpt;

	if (span_is(rcpt, "postmaster")) {
		size_t n = sizeof "postmaster@" - 1;

		q->r.postmaster = true;
		memcpy(text, "postmaster@", n);
		to = span_of(conf->postmaster);
		if (conf->ndomains > 0 &&
		    span_copy(text + n, sizeof text - n,
			span_of(conf->domains[0].name)))
			to = span_of(text);
	}
	return address_parse_utf8(&q->address, to) == 0;
}

void
recipients_resolve(struct recipients *in, struct span rcpt, bool expanded,
    resolution_answer *answer, void *arg)
{
	struct question *q = calloc(1, sizeof *q);

	if (q == NULL) {
		struct resolution r = { 0 };

		reply_make(&r.reply, R_TABLE_ERROR, NULL);
		answer(arg, &r);
		return;
	}
	q->in = in;
	q->answer = answer;
	q->arg = arg;
	q->expanded = expanded;
	TAILQ_INSERT_TAIL(&in->open, q, link);
	if (parse(q, rcpt)) {
		q->r.origin = q->address;
		begin(q);
	} else
		refuse(q, R_BAD_ADDRESS);
}

const struct files *
recipients_files(const struct recipients *in)
{
	return in->files;
}

void
recipients_forget(struct recipients *in, void *arg)
{
	struct question *q, *next;

	TAILQ_FOREACH_SAFE (q, &in->open, link, next)
		if (q->arg == arg) {
			if (in->accounts != NULL)
				accounts_forget(in->accounts, q);
			question_free(q);
		}
}

struct recipients *
recipients_new(const struct conf *conf, struct accounts *accounts,
    struct table_watch *watch, bool root)
{
	struct recipients *in = calloc(1, sizeof *in);

	if (in == NULL)
		return NULL;
	in->conf = conf;
	in->accounts = accounts;
	in->root = root;
	TAILQ_INIT(&in->open);
	if ((in->files = files_new(conf, watch)) == NULL) {
		recipients_free(in);
		return NULL;
	}
	return in;
}

void
recipients_free(struct recipients *in)
{
	struct question *q;

	if (in == NULL)
		return;
	while ((q = TAILQ_FIRST(&in->open)) != NULL)
		recipients_forget(in, q->arg);
	files_free(in->files);
	free(in);
}
