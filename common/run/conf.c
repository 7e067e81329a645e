/*
 * conf.c - the configuration's encoding, and finding a domain or route in it.
 *
 * Put and get of each part stand together, in the order of the struct.  What is
 * decoded here was checked by the process that read the file; here only its
 * form is: lengths, enums, counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/buf.h"
#include "common/run/conf.h"

#define READ_CHUNK 65536

/* Of one recipient in the log, at worst: its row in a MESSAGE, and half as much
 * again in a SUMMARY. */
#define LOGGED_RCPT  800
/* What stands around them: ends of the segment, prefix, sender. */
#define LOGGED_OTHER (64 * 1024)
#define MIB	     (1024 * 1024)

uint64_t
conf_segment_size_for(uint32_t recipients)
{
	uint64_t n = (uint64_t)recipients * LOGGED_RCPT + LOGGED_OTHER;

	/* The content beside them takes up to an eighth of a segment. */
	n = (n * 8 + 6) / 7;
	return (n + MIB - 1) / MIB * MIB;
}

static void
netblock_put(struct wire_put *w, const struct netblock *b)
{
	ip_put(w, &b->ip);
	wire_put_u8(w, b->bits);
}

static void
netblock_get(struct wire_get *w, struct netblock *b)
{
	ip_get(w, &b->ip);
	b->bits = (uint8_t)wire_get_enum(w, 128 + 1);
}

static void
listen_put(struct wire_put *w, const struct conf_listen *l)
{
	wire_put_str(w, l->title);
	ip_put(w, &l->ip);
	wire_put_u16(w, l->port);
	wire_put_u8(w, (uint8_t)l->isolation);
	wire_put_u8(w, (uint8_t)l->bare_newlines);
	wire_put_u8(w, (uint8_t)l->refuse);
	wire_put_u32(w, l->ehlo_without);
	wire_put_u8(w, (uint8_t)l->nproxies);
	for (size_t i = 0; i < l->nproxies; i++)
		netblock_put(w, &l->proxies[i]);
}

static void
listen_get(struct wire_get *w, struct conf_listen *l)
{
	wire_get_str(w, l->title, sizeof l->title);
	ip_get(w, &l->ip);
	l->port = wire_get_u16(w);
	l->isolation = (enum conf_isolation)wire_get_enum(w, ISOLATION_END);
	l->bare_newlines = (enum conf_newlines)wire_get_enum(w, NEWLINES_END);
	l->refuse = (enum conf_refuse)wire_get_enum(w, REFUSE_END);
	l->ehlo_without = wire_get_u32(w);
	if ((l->ehlo_without & ~EXT_ALL) != 0)
		w->bad = true;
	l->nproxies = wire_get_enum(w, CONF_PROXIES_MAX + 1);
	for (size_t i = 0; i < l->nproxies; i++)
		netblock_get(w, &l->proxies[i]);
}

static void
domain_put(struct wire_put *w, const struct conf_domain *d)
{
	wire_put_str(w, d->name);
	wire_put_u8(w, (uint8_t)d->users);
	wire_put_str(w, d->users_file);
	wire_put_u8(w, (uint8_t)d->deliver);
	wire_put_str(w, d->path);
	wire_put_str(w, d->host);
	wire_put_u16(w, d->port);
	wire_put_str(w, d->owner);
	wire_put_str(w, d->plus);
	wire_put_u8(w, d->refuse);
	wire_put_str(w, d->moved_file);
	wire_put_u8(w, d->moved_tell);
	wire_put_str(w, d->aliases);
}

static void
domain_get(struct wire_get *w, struct conf_domain *d)
{
	wire_get_str(w, d->name, sizeof d->name);
	d->users = (enum conf_users)wire_get_enum(w, USERS_END);
	wire_get_str(w, d->users_file, sizeof d->users_file);
	d->deliver = (enum conf_deliver)wire_get_enum(w, DELIVER_END);
	wire_get_str(w, d->path, sizeof d->path);
	wire_get_str(w, d->host, sizeof d->host);
	d->port = wire_get_u16(w);
	wire_get_str(w, d->owner, sizeof d->owner);
	wire_get_str(w, d->plus, sizeof d->plus);
	d->refuse = wire_get_bool(w);
	wire_get_str(w, d->moved_file, sizeof d->moved_file);
	d->moved_tell = wire_get_bool(w);
	wire_get_str(w, d->aliases, sizeof d->aliases);
}

static void
route_put(struct wire_put *w, const struct conf_route *r)
{
	wire_put_str(w, r->pattern);
	wire_put_u8(w, (uint8_t)r->via);
	wire_put_str(w, r->host);
	wire_put_u16(w, r->port);
}

static void
route_get(struct wire_get *w, struct conf_route *r)
{
	wire_get_str(w, r->pattern, sizeof r->pattern);
	r->via = (enum conf_via)wire_get_enum(w, VIA_END);
	wire_get_str(w, r->host, sizeof r->host);
	r->port = wire_get_u16(w);
}

static void
resolver_put(struct wire_put *w, const struct conf_resolver *r)
{
	wire_put_str(w, r->address);
}

static void
resolver_get(struct wire_get *w, struct conf_resolver *r)
{
	wire_get_str(w, r->address, sizeof r->address);
}

static void
expect_put(struct wire_put *w, const struct conf_expect *e)
{
	wire_put_str(w, e->sender);
	wire_put_str(w, e->rcpt);
	ip_put(w, &e->client);
	wire_put_str(w, e->listener);
	wire_put_u16(w, e->code);
	wire_put_u8(w, e->esc.class);
	wire_put_u16(w, e->esc.subject);
	wire_put_u16(w, e->esc.detail);
	wire_put_str(w, e->reply);
	wire_put_u32(w, e->line);
}

static void
expect_get(struct wire_get *w, struct conf_expect *e)
{
	wire_get_str(w, e->sender, sizeof e->sender);
	wire_get_str(w, e->rcpt, sizeof e->rcpt);
	ip_get(w, &e->client);
	wire_get_str(w, e->listener, sizeof e->listener);
	e->code = wire_get_u16(w);
	e->esc.class = wire_get_u8(w);
	e->esc.subject = wire_get_u16(w);
	e->esc.detail = wire_get_u16(w);
	wire_get_str(w, e->reply, sizeof e->reply);
	e->line = wire_get_u32(w);
}

static void
own_put(struct wire_put *w, const struct conf_reply *r)
{
	wire_put_u16(w, (uint16_t)r->name);
	wire_put_str(w, r->text);
}

static void
own_get(struct wire_get *w, struct conf_reply *r)
{
	uint16_t name = wire_get_u16(w);

	wire_get_str(w, r->text, sizeof r->text);
	if (name >= R_COUNT ||
	    reply_text_wrong((enum reply_name)name, r->text) != NULL)
		w->bad = true;
	else
		r->name = (enum reply_name)name;
}

/* --- numbers ----------------------------------------------------------- */

static void
numbers_put(struct wire_put *w, const struct conf *c)
{
	wire_put_u8(w, c->seccomp_only);
	wire_put_u8(w, c->log_json);
	wire_put_str(w, c->log_socket);
	wire_put_u8(w, c->send_mailbox);
	wire_put_u8(w, c->early_talkers);
	wire_put_u8(w, c->disclose);
	wire_put_u32(w, c->commands_off);
	wire_put_u64(w, c->message_size);
	wire_put_u64(w, c->spool_reserve);
	wire_put_u64(w, c->segment_size);
	wire_put_u32(w, c->max_sessions);
	wire_put_u32(w, c->max_sessions_per_client);
	wire_put_u32(w, c->max_recipients);
	wire_put_u32(w, c->max_useless);
	wire_put_u32(w, c->max_line);
	wire_put_u32(w, c->command_timeout);
	wire_put_u32(w, c->data_timeout);
	wire_put_u32(w, c->smtpd_processes);
	wire_put_u32(w, c->session_processes);
	wire_put_u32(w, c->min_uid);
	wire_put_u32(w, c->retry_first);
	wire_put_u32(w, c->retry_max);
	wire_put_u32(w, c->expire);
	wire_put_u32(w, c->host_concurrency);
	wire_put_u32(w, c->local_concurrency);
	wire_put_u32(w, c->history);
	wire_put_u64(w, c->history_size);
	wire_put_u32(w, c->connect_timeout);
}

static void
numbers_get(struct wire_get *w, struct conf *c)
{
	c->seccomp_only = wire_get_bool(w);
	c->log_json = wire_get_bool(w);
	wire_get_str(w, c->log_socket, sizeof c->log_socket);
	c->send_mailbox = wire_get_bool(w);
	c->early_talkers = wire_get_bool(w);
	c->disclose = wire_get_bool(w);
	c->commands_off = wire_get_u32(w);
	c->message_size = wire_get_u64(w);
	c->spool_reserve = wire_get_u64(w);
	c->segment_size = wire_get_u64(w);
	c->max_sessions = wire_get_u32(w);
	c->max_sessions_per_client = wire_get_u32(w);
	c->max_recipients = wire_get_u32(w);
	c->max_useless = wire_get_u32(w);
	c->max_line = wire_get_u32(w);
	c->command_timeout = wire_get_u32(w);
	c->data_timeout = wire_get_u32(w);
	c->smtpd_processes = wire_get_u32(w);
	c->session_processes = wire_get_u32(w);
	c->min_uid = wire_get_u32(w);
	c->retry_first = wire_get_u32(w);
	c->retry_max = wire_get_u32(w);
	c->expire = wire_get_u32(w);
	c->host_concurrency = wire_get_u32(w);
	c->local_concurrency = wire_get_u32(w);
	c->history = wire_get_u32(w);
	c->history_size = wire_get_u64(w);
	c->connect_timeout = wire_get_u32(w);
}

/* --- lists ------------------------------------------------------------- */

/* Room for as many as are announced, if the bytes that are left can hold them:
 * each takes at least one.  NULL for none, and with w->bad. */
static void *
list_new(struct wire_get *w, size_t *n, size_t max, size_t size)
{
	void *p;

	*n = wire_get_u32(w);
	if (*n > max || *n > w->n)
		w->bad = true;
	if (w->bad)
		*n = 0;
	if (*n == 0)
		return NULL;
	p = calloc(*n, size);
	if (p != NULL)
		return p;
	w->bad = true;
	*n = 0;
	return NULL;
}

static void
lists_put(struct wire_put *w, const struct conf *c)
{
	wire_put_u32(w, (uint32_t)c->nlistens);
	for (size_t i = 0; i < c->nlistens; i++)
		listen_put(w, &c->listens[i]);
	wire_put_u32(w, (uint32_t)c->ndomains);
	for (size_t i = 0; i < c->ndomains; i++)
		domain_put(w, &c->domains[i]);
	wire_put_u32(w, (uint32_t)c->nroutes);
	for (size_t i = 0; i < c->nroutes; i++)
		route_put(w, &c->routes[i]);
	wire_put_u32(w, (uint32_t)c->nrelay_from);
	for (size_t i = 0; i < c->nrelay_from; i++)
		netblock_put(w, &c->relay_from[i]);
	wire_put_u32(w, (uint32_t)c->nresolvers);
	for (size_t i = 0; i < c->nresolvers; i++)
		resolver_put(w, &c->resolvers[i]);
	wire_put_u32(w, (uint32_t)c->nexpects);
	for (size_t i = 0; i < c->nexpects; i++)
		expect_put(w, &c->expects[i]);
	wire_put_u32(w, (uint32_t)c->nreplies);
	for (size_t i = 0; i < c->nreplies; i++)
		own_put(w, &c->replies[i]);
}

#define LIST_MAX 65536 /* domains, routes and so on */

static void
lists_get(struct wire_get *w, struct conf *c)
{
	c->listens =
	    list_new(w, &c->nlistens, CONF_LISTENS_MAX, sizeof *c->listens);
	for (size_t i = 0; i < c->nlistens && !w->bad; i++)
		listen_get(w, &c->listens[i]);
	c->domains = list_new(w, &c->ndomains, LIST_MAX, sizeof *c->domains);
	for (size_t i = 0; i < c->ndomains && !w->bad; i++)
		domain_get(w, &c->domains[i]);
	c->routes = list_new(w, &c->nroutes, LIST_MAX, sizeof *c->routes);
	for (size_t i = 0; i < c->nroutes && !w->bad; i++)
		route_get(w, &c->routes[i]);
	c->relay_from =
	    list_new(w, &c->nrelay_from, LIST_MAX, sizeof *c->relay_from);
	for (size_t i = 0; i < c->nrelay_from && !w->bad; i++)
		netblock_get(w, &c->relay_from[i]);
	c->resolvers =
	    list_new(w, &c->nresolvers, LIST_MAX, sizeof *c->resolvers);
	for (size_t i = 0; i < c->nresolvers && !w->bad; i++)
		resolver_get(w, &c->resolvers[i]);
	c->expects = list_new(w, &c->nexpects, LIST_MAX, sizeof *c->expects);
	for (size_t i = 0; i < c->nexpects && !w->bad; i++)
		expect_get(w, &c->expects[i]);
	c->replies = list_new(w, &c->nreplies, R_COUNT, sizeof *c->replies);
	for (size_t i = 0; i < c->nreplies && !w->bad; i++)
		own_get(w, &c->replies[i]);
}

/* --- the whole --------------------------------------------------------- */

void
conf_put(struct wire_put *w, const struct conf *c)
{
	wire_put_str(w, c->file);
	wire_put_str(w, c->hostname);
	wire_put_str(w, c->spool);
	wire_put_str(w, c->runtime);
	wire_put_str(w, c->postmaster);
	numbers_put(w, c);
	lists_put(w, c);
}

int
conf_get(struct wire_get *w, struct conf *c)
{
	*c = (struct conf){ .nlistens = 0 };
	wire_get_str(w, c->file, sizeof c->file);
	wire_get_str(w, c->hostname, sizeof c->hostname);
	wire_get_str(w, c->spool, sizeof c->spool);
	wire_get_str(w, c->runtime, sizeof c->runtime);
	wire_get_str(w, c->postmaster, sizeof c->postmaster);
	numbers_get(w, c);
	lists_get(w, c);
	if (wire_done(w))
		return 0;
	conf_free(c);
	errno = EBADMSG;
	return -1;
}

void
conf_free(struct conf *c)
{
	free(c->listens);
	free(c->domains);
	free(c->routes);
	free(c->relay_from);
	free(c->resolvers);
	free(c->expects);
	free(c->replies);
	*c = (struct conf){ .nlistens = 0 };
}

void
conf_use_replies(const struct conf *c)
{
	for (size_t i = 0; i < R_COUNT; i++)
		reply_set_text((enum reply_name)i, NULL);
	for (size_t i = 0; c != NULL && i < c->nreplies; i++)
		reply_set_text(c->replies[i].name, c->replies[i].text);
}

/* All of fd.  A file is read from its start, wherever it stands: several
 * processes share it. */
static int
read_all(int fd, struct buf *b)
{
	for (;;) {
		char *to = buf_reserve(b, READ_CHUNK);
		ssize_t n;

		if (to == NULL)
			return -1;
		n = pread(fd, to, READ_CHUNK, (off_t)b->n);
		if (n == -1 && errno == ESPIPE)
			n = read(fd, to, READ_CHUNK);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		b->n += (size_t)n;
	}
}

struct conf *
conf_read(int fd)
{
	struct conf *c = calloc(1, sizeof *c);
	struct wire_get w;
	struct buf b;
	int rc = -1;

	buf_init(&b, CONF_BLOB_MAX + READ_CHUNK);
	if (c != NULL && read_all(fd, &b) == 0) {
		w = wire_reader(buf_span(&b));
		rc = conf_get(&w, c);
	}
	buf_fini(&b);
	if (rc == 0)
		return c;
	free(c);
	return NULL;
}

/* --- looking up -------------------------------------------------------- */

const struct conf_domain *
conf_domain(const struct conf *c, struct span name)
{
	for (size_t i = 0; i < c->ndomains; i++)
		if (span_is(name, c->domains[i].name))
			return &c->domains[i];
	return NULL;
}

/* How well a pattern fits a name: 0 not at all, 1 "*", then by the length of
 * the suffix, and the exact name above all. */
static size_t
fit(const char *pattern, struct span name)
{
	size_t n = strlen(pattern);

	if (strcmp(pattern, "*") == 0)
		return 1;
	if (span_is(name, pattern))
		return SIZE_MAX;
	if (pattern[0] != '.' || name.n <= n)
		return 0;
	return span_is(span_skip(name, name.n - n), pattern) ? n : 0;
}

const struct conf_route *
conf_route(const struct conf *c, struct span name)
{
	const struct conf_route *best = NULL;
	size_t best_fit = 0;

	for (size_t i = 0; i < c->nroutes; i++) {
		size_t f = fit(c->routes[i].pattern, name);

		if (f > best_fit) {
			best_fit = f;
			best = &c->routes[i];
		}
	}
	return best;
}
