/*
 * lookup_house.c - see lookup_house.h.
 */
#include <sys/stat.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/reply.h"
#include "common/msg/smtpd_lookup.h"
#include "tests/seams/lookup_house.h"

/* ---- the service ---------------------------------------------------------- */

static void
replace(const char *path, const char *text)
{
	char fresh[96];
	int fd;

	snprintf(fresh, sizeof fresh, "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, 0644), 0);
	close(fd);
	ck_assert_int_eq(rename(fresh, path), 0);
}

void
write_users(const struct lookup_house *f, const char *text)
{
	replace(f->users, text);
}

void
write_aliases(const struct lookup_house *f, const char *text)
{
	replace(f->aliases, text);
}

void
start(struct lookup_house *f, bool system)
{
	struct conf_domain domains[] = {
		{ .name = "files.example",
		    .users = USERS_FILE,
		    .path = "/srv/mail/%d/%u",
		    .plus = "+" },
		{ .name = "any.example",
		    .users = USERS_ANY,
		    .path = "/srv/any/%u",
		    .owner = "vmail" },
		{ .name = "lmtp.example",
		    .users = USERS_ANY,
		    .deliver = DELIVER_LMTP,
		    .host = "127.0.0.1",
		    .port = 2424 },
		{ .name = "system.example",
		    .users = USERS_SYSTEM,
		    .path = "~/Maildir",
		    .plus = "+" },
	};
	struct conf_listen listens[1] = { { .port = 25 } };
	struct conf_route routes[] = {
		{ .pattern = "*", .via = VIA_MX },
		{ .pattern = "partner.example",
		    .via = VIA_SMTP,
		    .host = "192.0.2.7",
		    .port = 2526 },
	};
	struct netblock relay_from[1];
	struct conf conf = { .ndomains = system ? 4 : 3,
		.domains = domains,
		.nlistens = 1,
		.listens = listens,
		.nroutes = 2,
		.routes = routes,
		.nrelay_from = 1,
		.relay_from = relay_from,
		.max_sessions = 5,
		.max_sessions_per_client = 3,
		.min_uid = 1000 };

	strcpy(domains[0].users_file, f->users);
	strcpy(domains[0].aliases, f->aliases);
	strcpy(conf.hostname, "mx.example");
	strcpy(conf.postmaster, "alice@files.example");
	ck_assert(ip_parse(&listens[0].ip, SPAN("0.0.0.0")));
	ck_assert(netblock_parse(&relay_from[0], SPAN("10.0.0.0/8")));
	seam_start(&f->seam, "lookup", &conf);
	f->smtpd = seam_connect(&f->seam, PEER_SMTPD, 1);
	f->queue = seam_connect(&f->seam, PEER_QUEUE, 1);
}

void
set_up(struct lookup_house *f, bool system)
{
	memset(f, 0, sizeof *f);
	strcpy(f->dir, "/tmp/seam-lookup.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	ck_assert_int_eq(chmod(f->dir, 0755), 0);
	snprintf(f->users, sizeof f->users, "%s/users", f->dir);
	snprintf(f->aliases, sizeof f->aliases, "%s/aliases", f->dir);
	write_users(f,
	    "# people\nalice\nBob mailbox=/srv/elsewhere/bob\n"
	    "carl mailbox=carl\nwrong color=blue\n");
	write_aliases(f, "# none\n");
	start(f, system);
}

void
clean(const struct lookup_house *f)
{
	char command[128];

	snprintf(command, sizeof command, "rm -r %s", f->dir);
	ck_assert_int_eq(system(command), 0);
}

void
tear_down(struct lookup_house *f)
{
	close(f->smtpd);
	close(f->queue);
	ck_assert_int_eq(seam_stop(&f->seam), 0);
	clean(f);
}

/* ---- questions ------------------------------------------------------------ */

void
send_connect(
    struct lookup_house *f, int smtpd, uint32_t session, const char *ip)
{
	struct msg_connect c = { .session = session,
		.from = ip == NULL ? CLIENT_LOCAL : CLIENT_ADDRESS };

	if (ip != NULL)
		ck_assert(ip_parse(&c.ip, span_of(ip)));
	msg_connect_put(seam_body(), &c);
	seam_send(smtpd, LOOKUP_CONNECT, ++f->id, -1);
}

unsigned
connect_client(struct lookup_house *f, int smtpd, uint32_t session,
    const char *ip, bool *trusted)
{
	struct msg_client client;
	struct ipc_msg m;

	send_connect(f, smtpd, session, ip);
	seam_recv(smtpd, &m, LOOKUP_CLIENT);
	ck_assert_uint_eq(m.id, f->id);
	ck_assert_int_eq(msg_client_get(&m, &client), 0);
	if (trusted != NULL)
		*trusted = client.trusted;
	return client.reply.code;
}

void
gone(struct lookup_house *f, int smtpd, uint32_t session)
{
	const struct msg_gone g = { session };

	(void)f;
	msg_gone_put(seam_body(), &g);
	seam_send(smtpd, LOOKUP_GONE, 0, -1);
}

void
send_rcpt(struct lookup_house *f, uint32_t session, const char *to)
{
	const struct msg_rcpt r = { session, SPAN("x@client.example"),
		span_of(to) };

	msg_rcpt_put(seam_body(), &r);
	seam_send(f->smtpd, LOOKUP_RCPT, ++f->id, -1);
}

unsigned
rcpt(struct lookup_house *f, uint32_t session, const char *to)
{
	struct ipc_msg m;

	send_rcpt(f, session, to);
	seam_recv(f->smtpd, &m, LOOKUP_VERDICT);
	ck_assert_uint_eq(m.id, f->id);
	ck_assert_int_eq(msg_reply_get(&m, &f->reply), 0);
	return f->reply.code;
}

static void
send_route(struct lookup_house *f, const char *to, bool expanded)
{
	const struct msg_route r = { span_of(to), expanded };

	msg_route_put(seam_body(), &r);
	seam_send(f->queue, ROUTE_ASK, ++f->id, -1);
}

static unsigned
recv_route(struct lookup_house *f)
{
	struct msg_routed routed;
	struct ipc_msg m;

	seam_recv(f->queue, &m, ROUTE_ANSWER);
	ck_assert_uint_eq(m.id, f->id);
	ck_assert_int_eq(msg_routed_get(&m, &routed), 0);
	f->reply = routed.reply;
	f->route = routed.route;
	return f->reply.code;
}

unsigned
ask_route(struct lookup_house *f, const char *to)
{
	send_route(f, to, false);
	return recv_route(f);
}

unsigned
ask_route_expanded(struct lookup_house *f, const char *to)
{
	send_route(f, to, true);
	return recv_route(f);
}

static const struct msg_expanded *
recv_rows(struct lookup_house *f)
{
	static struct msg_expanded e;
	static struct ipc_msg m;

	seam_recv(f->queue, &m, EXPAND_ANSWER);
	ck_assert_uint_eq(m.id, f->id);
	ck_assert_int_eq(msg_expanded_get(&m, &e), 0);
	return &e;
}

const struct msg_expanded *
ask_alias(struct lookup_house *f, const char *to)
{
	send_route(f, to, false);
	return recv_rows(f);
}

const struct msg_expanded *
ask_more(struct lookup_house *f, uint64_t expansion, uint32_t at)
{
	const struct msg_expand e = { expansion, at };

	msg_expand_put(seam_body(), &e);
	seam_send(f->queue, EXPAND_ASK, ++f->id, -1);
	return recv_rows(f);
}
