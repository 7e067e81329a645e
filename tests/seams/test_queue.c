/*
 * test_queue.c - the real queue between a test that is master, smtpd, lookup,
 * local, remote and control: messages come in, go out, come back, and outlive
 * everybody.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/msg/control.h"
#include "common/msg/master.h"
#include "common/msg/queue_agent.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/seam.h"

#define NOBODY 65534
#define MOMENT 300 /* milliseconds in which something would have come */

static struct seam d;
static char spool[64];
static int smtpd, lookup, local, remote, control;
static struct ipc_msg k; /* the last one that came */
static uint32_t number;	 /* of the last request */
static struct conf conf;

/* --- the house ---------------------------------------------------------------
 */

static void
hello(int agent)
{
	msg_hello_put(seam_body(), &(struct msg_hello){ 100 });
	seam_send(agent, AGENT_HELLO, 0, -1);
}

static void
expect_state(unsigned code)
{
	struct reply r;

	seam_recv(smtpd, &k, QUEUE_STATE);
	ck_assert_int_eq(msg_reply_get(&k, &r), 0);
	ck_assert_uint_eq(r.code, code);
}

static void
start(void)
{
	seam_start(&d, "queue", &conf);
	smtpd = seam_connect(&d, PEER_SMTPD, 0);
	lookup = seam_connect(&d, PEER_LOOKUP, 0);
	local = seam_connect(&d, PEER_LOCAL, 0);
	remote = seam_connect(&d, PEER_REMOTE, 0);
	control = seam_connect(&d, PEER_CONTROL, 0);
	expect_state(250);
}

static void
begin(void)
{
	start();
	hello(local);
	hello(remote);
}

static void
hang_up(void)
{
	const int all[] = { smtpd, lookup, local, remote, control };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		close(all[i]);
}

/* As a power cut, but for what the kernel holds. */
static void
kill_queue(void)
{
	kill(d.pid, SIGKILL);
	waitpid(d.pid, NULL, 0);
	close(d.master);
	hang_up();
}

static void
stop(void)
{
	ck_assert_int_eq(seam_stop(&d), 0);
	hang_up();
}

static void
set_up(void)
{
	conf = (struct conf){ .hostname = "mx.example",
		.runtime = "/nonexistent",
		.postmaster = "root@example.org",
		.message_size = 8 * 1024 * 1024,
		.segment_size = 4 * 1024 * 1024,
		.max_recipients = 1000,
		.retry_first = 2,
		.retry_max = 4,
		.expire = 3600,
		.host_concurrency = 2,
		.local_concurrency = 8,
		.history = 3600,
		.history_size = 1024 * 1024 };
	snprintf(spool, sizeof spool, "/tmp/sallyport-queue-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(spool));
	if (geteuid() == 0)
		ck_assert_int_eq(chown(spool, NOBODY, NOBODY), 0);
	snprintf(conf.spool, sizeof conf.spool, "%s", spool);
}

static int
remove_one(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static void
tear_down(void)
{
	nftw(spool, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
silence(int channel)
{
	ck_assert_msg(!seam_recv_within(channel, &k, MOMENT),
	    "a message %#x came", k.type);
}

/* Queue was told wrong: it closes the channel, complains, and lives on. */
static void
refused(int channel, enum peer kind)
{
	struct msg_complain complain;

	ck_assert(seam_closed(channel));
	seam_recv(d.master, &k, MASTER_COMPLAIN);
	ck_assert_int_eq(msg_complain_get(&k, &complain), 0);
	ck_assert_int_eq(complain.kind, kind);
}

/* --- smtpd --------------------------------------------------------------------
 */

static struct envelope
envelope(const char *from, uint32_t nrcpts)
{
	return (struct envelope){ .sender = span_of(from),
		.helo = SPAN("client.example"),
		.client = SPAN("192.0.2.9"),
		.with = WITH_ESMTP,
		.body = BODY_8BITMIME,
		.nrcpts = nrcpts };
}

static void
submit(const char *from, const char *const *to, uint32_t n, const char *text)
{
	struct envelope e = envelope(from, n);

	msg_submit_put(seam_body(), &e, to, n, span_of(text));
	seam_send(smtpd, QUEUE_SUBMIT, ++number, -1);
}

/* The answer to the last request, and the id in it. */
static uint64_t
accepted(void)
{
	struct reply r;
	struct span text;
	uint64_t id;

	seam_recv(smtpd, &k, QUEUE_ANSWER);
	ck_assert_uint_eq(k.id, number);
	ck_assert_int_eq(msg_reply_get(&k, &r), 0);
	ck_assert_msg(r.code == 250, "%u %s", r.code, r.text);
	text = span_of(r.text);
	ck_assert(id_parse(span_cut(&text, ' '), &id));
	ck_assert(span_is(text, "queued"));
	return id;
}

static void
not_accepted(unsigned code)
{
	struct reply r;

	seam_recv(smtpd, &k, QUEUE_ANSWER);
	ck_assert_uint_eq(k.id, number);
	ck_assert_int_eq(msg_reply_get(&k, &r), 0);
	ck_assert_uint_eq(r.code, code);
}

static uint64_t
submit_one(const char *from, const char *to, const char *text)
{
	submit(from, &to, 1, text);
	return accepted();
}

/* --- lookup -------------------------------------------------------------------
 */

static void
answer_route(uint32_t id, unsigned code, const struct route *route)
{
	struct msg_routed routed = { .reply = { .code = (uint16_t)code } };

	snprintf(routed.reply.text, sizeof routed.reply.text, "from lookup");
	if (route != NULL)
		routed.route = *route;
	msg_routed_put(seam_body(), &routed);
	seam_send(lookup, ROUTE_ANSWER, id, -1);
}

/* Queue asks about `rcpt`; the request's id. */
static uint32_t
asked(const char *rcpt)
{
	struct msg_route ask;

	seam_recv(lookup, &k, ROUTE_ASK);
	ck_assert_int_eq(msg_route_get(&k, &ask), 0);
	ck_assert_msg(span_is(ask.rcpt, rcpt), "asked about %.*s, not %s",
	    (int)ask.rcpt.n, ask.rcpt.p, rcpt);
	return k.id;
}

static void
to_mailbox(const char *rcpt, const char *user)
{
	struct route r = { .kind = ROUTE_MAILDIR_SYSTEM, .path = "Maildir" };

	snprintf(r.user, sizeof r.user, "%s", user);
	answer_route(asked(rcpt), 250, &r);
}

static void
to_host(const char *rcpt, const char *host)
{
	struct route r = { .kind = ROUTE_MX };

	snprintf(r.host, sizeof r.host, "%s", host);
	answer_route(asked(rcpt), 250, &r);
}

/* --- agents -------------------------------------------------------------------
 */

static struct msg_deliver delivery; /* the last one */

static void
delivered_to(int agent, uint64_t id, const char *rcpt)
{
	seam_recv(agent, &k, AGENT_DELIVER);
	ck_assert_int_eq(msg_deliver_get(&k, &delivery), 0);
	if (id != 0)
		ck_assert_uint_eq(delivery.handout.message, id);
	ck_assert_uint_ge(delivery.nrcpts, 1);
	ck_assert(span_is(delivery.rcpts[0].address, rcpt));
}

static void
send_result(int agent, const struct handout *h, const uint32_t *rcpts,
    uint32_t n, unsigned code, enum reply_scope scope, bool last)
{
	struct msg_result r = { .handout = *h,
		.host = "mx.b.example [192.0.2.1]",
		.nrcpts = n,
		.reply = { .code = (uint16_t)code,
		    .esc = { (uint8_t)(code / 100), 1, 1 },
		    .scope = scope,
		    .source = BY_HOST,
		    .text = "what the host said" },
		.last = last };

	memcpy(r.rcpts, rcpts, n * sizeof *rcpts);
	msg_result_put(seam_body(), &r);
	seam_send(agent, AGENT_RESULT, 0, -1);
}

static void
recorded(int agent, const struct handout *h)
{
	struct msg_recorded r;

	seam_recv(agent, &k, AGENT_RECORDED);
	ck_assert_int_eq(msg_recorded_get(&k, &r), 0);
	ck_assert_uint_eq(r.handout.message, h->message);
	ck_assert_uint_eq(r.handout.attempt, h->attempt);
}

/* All of the last hand-out has this reply, and it is recorded. */
static void
result(int agent, unsigned code, enum reply_scope scope)
{
	struct handout h = delivery.handout;
	uint32_t rcpts[DELIVER_RCPTS_MAX];

	for (uint32_t i = 0; i < delivery.nrcpts; i++)
		rcpts[i] = delivery.rcpts[i].index;
	send_result(agent, &h, rcpts, delivery.nrcpts, code, scope, true);
	recorded(agent, &h);
}

/* --- control ------------------------------------------------------------------
 */

static struct msg_page page;

static void
act(enum control_verb verb, bool dry, const char *id)
{
	static struct msg_act a;

	a = (struct msg_act){ .verb = verb, .dry = dry };
	if (id != NULL) {
		a.select.n = 1;
		a.select.t[0].field = SELECT_ID;
		snprintf(
		    a.select.t[0].text, sizeof a.select.t[0].text, "%s", id);
	}
	snprintf(a.reason, sizeof a.reason, "a test");
	msg_act_put(seam_body(), &a);
	seam_send(control, CONTROL_ACT, 7, -1);
	seam_recv(control, &k, CONTROL_PAGE);
	ck_assert_uint_eq(k.id, 7);
	ck_assert_int_eq(msg_page_get(&k, &page), 0);
	ck_assert_uint_eq(page.reply.code, 250);
}

/* How many recipients are in the queue. */
static uint64_t
count(void)
{
	act(VERB_COUNT, false, NULL);
	ck_assert(!page.more);
	return page.matched;
}

/* Until so many are there: what was recorded is counted a moment later. */
static void
counted(uint64_t n)
{
	uint64_t have = 0;

	for (int i = 0; i < 100; i++) {
		if ((have = count()) == n)
			return;
		usleep(20000);
	}
	ck_abort_msg("%lu in the queue, not %lu", have, n);
}

/* --- a message's life ---------------------------------------------------------
 */

START_TEST(a_message_is_accepted_and_delivered)
{
	uint64_t id;

	begin();
	id = submit_one(
	    "a@example", "bob@example.org", "Subject: x\r\n\r\nhi\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, id, "bob@example.org");
	ck_assert_int_eq(delivery.route.kind, ROUTE_MAILDIR_SYSTEM);
	ck_assert_str_eq(delivery.route.user, "bob");
	ck_assert(span_is(delivery.sender, "a@example"));
	ck_assert_int_eq(delivery.body, BODY_8BITMIME);
	ck_assert(!delivery.maybe);
	ck_assert(delivery.inlined);
	ck_assert(span_eq(delivery.content, SPAN("Subject: x\r\n\r\nhi\r\n")));
	ck_assert(
	    span_starts(delivery.prefix, "Received: from client.example"));
	ck_assert_ptr_nonnull(memmem(
	    delivery.prefix.p, delivery.prefix.n, "for <bob@example.org>", 21));
	ck_assert_uint_eq(count(), 1);
	result(local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
	/* and it does not come back */
	begin();
	silence(lookup);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

START_TEST(nothing_is_handed_out_before_hello)
{
	uint64_t id;

	start();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	silence(local);
	hello(remote);
	silence(local);
	hello(local);
	delivered_to(local, id, "bob@example.org");
	result(local, 250, SCOPE_RECIPIENT);
	stop();
}
END_TEST

START_TEST(recipients_of_one_route_are_one_handout)
{
	static const char *const to[] = { "a@b.example", "b@b.example",
		"c@c.example", "d@b.example" };
	struct handout h;

	begin();
	submit("s@example", to, 4, "x\r\n");
	accepted();
	to_host(to[0], "b.example");
	to_host(to[1], "b.example");
	to_host(to[2], "c.example");
	silence(remote);
	to_host(to[3], "b.example");
	delivered_to(remote, 0, "a@b.example");
	ck_assert_uint_eq(delivery.nrcpts, 3);
	ck_assert_uint_eq(delivery.rcpts[2].index, 3);
	h = delivery.handout;
	delivered_to(remote, 0, "c@c.example");
	ck_assert_uint_eq(delivery.nrcpts, 1);
	result(remote, 250, SCOPE_RECIPIENT);
	/* answers in pieces: recorded when the last is there */
	send_result(
	    remote, &h, (uint32_t[]){ 3, 0 }, 2, 250, SCOPE_RECIPIENT, false);
	counted(1);
	silence(remote);
	send_result(
	    remote, &h, (uint32_t[]){ 1 }, 1, 250, SCOPE_RECIPIENT, true);
	recorded(remote, &h);
	counted(0);
	stop();
}
END_TEST

START_TEST(a_deferred_recipient_is_tried_again)
{
	uint64_t id, attempt;

	begin();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, id, "bob@example.org");
	attempt = delivery.handout.attempt;
	result(local, 450, SCOPE_RECIPIENT);
	silence(lookup);
	/* its route is asked for again, and may be another */
	to_host("bob@example.org", "other.example");
	delivered_to(remote, id, "bob@example.org");
	ck_assert_uint_gt(delivery.handout.attempt, attempt);
	result(remote, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

/* --- bounces -------------------------------------------------------------------
 */

static void
content_has(const char *text)
{
	ck_assert_msg(memmem(delivery.content.p, delivery.content.n, text,
			  strlen(text)) != NULL,
	    "no \"%s\" in:\n%.*s", text, (int)delivery.content.n,
	    delivery.content.p);
}

START_TEST(a_failed_recipient_is_a_bounce)
{
	uint64_t id, bounce;

	begin();
	id = submit_one(
	    "alice@example", "bob@b.example", "Subject: hello\r\n\r\nbody\r\n");
	to_host("bob@b.example", "b.example");
	delivered_to(remote, id, "bob@b.example");
	result(remote, 550, SCOPE_RECIPIENT);
	to_mailbox("alice@example", "alice");
	delivered_to(local, 0, "alice@example");
	bounce = delivery.handout.message;
	ck_assert_uint_ne(bounce, id);
	ck_assert_uint_eq(delivery.sender.n, 0);
	ck_assert_uint_eq(delivery.prefix.n, 0);
	content_has("To: <alice@example>\r\n");
	content_has("Final-Recipient: rfc822; bob@b.example\r\n");
	content_has("Diagnostic-Code: smtp; 550 5.1.1 what the host said\r\n");
	content_has("Remote-MTA: dns; mx.b.example\r\n");
	content_has("\r\nSubject: hello\r\n");
	content_has("\r\nReceived: from client.example ");
	ck_assert_ptr_null(
	    memmem(delivery.content.p, delivery.content.n, "body\r\n", 6));
	/* a bounce that fails is nobody's */
	result(local, 550, SCOPE_RECIPIENT);
	silence(lookup);
	counted(0);
	stop();
}
END_TEST

START_TEST(lookup_may_fail_or_defer_a_recipient)
{
	uint64_t id;

	begin();
	id = submit_one("alice@example", "bob@b.example", "x\r\n");
	answer_route(asked("bob@b.example"), 451, NULL);
	answer_route(asked("bob@b.example"), 550, NULL);
	to_mailbox("alice@example", "alice");
	delivered_to(local, 0, "alice@example");
	ck_assert_uint_ne(delivery.handout.message, id);
	content_has("550 from lookup\r\n");
	result(local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(what_expires_is_a_bounce)
{
	conf.expire = 1;
	conf.retry_first = 1;
	begin();
	submit_one("alice@example", "bob@b.example", "x\r\n");
	to_host("bob@b.example", "b.example");
	delivered_to(remote, 0, "bob@b.example");
	sleep(2);
	result(remote, 451, SCOPE_RECIPIENT);
	to_mailbox("alice@example", "alice");
	delivered_to(local, 0, "alice@example");
	content_has("Status: 5.4.7\r\n");
	content_has("Diagnostic-Code: smtp; 451 4.1.1 what the host said\r\n");
	result(local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

/* --- large messages -------------------------------------------------------------
 */

static char *
make_content(size_t n)
{
	char *p = malloc(n);

	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + i % 23);
	for (size_t i = 78; i < n; i += 80)
		memcpy(p + i - 1, "\r\n", 2);
	memcpy(p + n - 2, "\r\n", 2);
	return p;
}

static int
open_message(const char *from, const char *const *to, uint32_t n, uint32_t all)
{
	struct envelope e = envelope(from, all);
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	msg_submit_put(seam_body(), &e, to, n, SPAN(""));
	seam_send(smtpd, QUEUE_OPEN, ++number, fds[0]);
	close(fds[0]);
	return fds[1];
}

static void
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		ck_assert_int_gt(done, 0);
		p += done;
		n -= (size_t)done;
	}
}

static void
end_message(uint64_t size)
{
	msg_end_put(seam_body(), &(struct msg_end){ size });
	seam_send(smtpd, QUEUE_END, number, -1);
}

START_TEST(a_large_message_comes_through_a_pipe)
{
	/* in memory, in sealed memory of the log, in a file of its own */
	static const size_t sizes[] = { 5000, 300000, 1024 * 1024,
		1024 * 1024 + 1, 5000000 };
	static const char *const to[] = { "a@b.example", "b@b.example",
		"c@b.example" };
	size_t n = sizes[_i];
	char *content = make_content(n), *back = malloc(n + 1);
	int fd;

	begin();
	fd = open_message("s@example", to, 1, 3);
	write_all(fd, content, n / 2);
	msg_rcpts_put(seam_body(), to + 1, 2);
	seam_send(smtpd, QUEUE_RCPTS, number, -1);
	write_all(fd, content + n / 2, n - n / 2);
	if (_i % 2 == 0)
		close(fd);
	end_message(n);
	accepted();
	if (_i % 2 != 0)
		close(fd);
	for (int i = 0; i < 3; i++)
		to_host(to[i], "b.example");
	delivered_to(remote, 0, to[0]);
	ck_assert_uint_eq(delivery.nrcpts, 3);
	ck_assert_uint_eq(delivery.size, n);
	if (delivery.inlined) {
		ck_assert_uint_le(n, DELIVER_INLINE_MAX);
		ck_assert_int_eq(memcmp(delivery.content.p, content, n), 0);
	} else {
		ck_assert_int_eq(pread(k.fd, back, n + 1, 0), (ssize_t)n);
		ck_assert_int_eq(memcmp(back, content, n), 0);
		/* nobody can alter what was acknowledged */
		ck_assert_int_eq(pwrite(k.fd, "x", 1, 0), -1);
		ck_assert_int_ne(ftruncate(k.fd, 0), 0);
		close(k.fd);
	}
	/* and it is there after a start */
	kill_queue();
	begin();
	for (int i = 0; i < 3; i++)
		to_host(to[i], "b.example");
	delivered_to(remote, 0, to[0]);
	ck_assert_uint_eq(delivery.size, n);
	ck_assert(delivery.maybe);
	if (k.fd != -1)
		close(k.fd);
	result(remote, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
	free(content);
	free(back);
}
END_TEST

START_TEST(half_a_message_is_none)
{
	static const char *const to[] = { "a@b.example", "b@b.example" };
	int fd;

	begin();
	/* less than END says */
	fd = open_message("s@example", to, 1, 1);
	write_all(fd, "half", 4);
	close(fd);
	end_message(5);
	not_accepted(451);
	/* more */
	fd = open_message("s@example", to, 1, 1);
	write_all(fd, "too much", 8);
	end_message(5);
	not_accepted(451);
	close(fd);
	/* a recipient is missing */
	fd = open_message("s@example", to, 1, 2);
	write_all(fd, "x\r\n", 3);
	end_message(3);
	not_accepted(451);
	close(fd);
	/* over the limit; what follows meets nobody */
	conf.message_size = 8 * 1024 * 1024;
	fd = open_message("s@example", to, 1, 1);
	signal(SIGPIPE, SIG_IGN);
	for (char block[4096] = "x"; write(fd, block, sizeof block) > 0;)
		continue;
	close(fd);
	not_accepted(552);
	end_message(5);
	/* given up by the client */
	fd = open_message("s@example", to, 1, 1);
	write_all(fd, "x\r\n", 3);
	seam_body();
	seam_send(smtpd, QUEUE_ABORT, number, -1);
	/* by smtpd */
	open_message("s@example", to, 1, 1);
	close(smtpd);
	close(fd);
	silence(lookup);
	ck_assert_uint_eq(count(), 0);
	smtpd = seam_connect(&d, PEER_SMTPD, 1);
	expect_state(250);
	submit_one("s@example", to[0], "x\r\n");
	stop();
}
END_TEST

START_TEST(what_makes_no_sense_closes_the_channel)
{
	static const char *const to[] = { "a@b.example" };

	begin();
	/* twice the same number */
	close(open_message("s@example", to, 1, 1));
	number--;
	close(open_message("s@example", to, 1, 1));
	refused(smtpd, PEER_SMTPD);
	close(smtpd);
	smtpd = seam_connect(&d, PEER_SMTPD, 1);
	expect_state(250);
	/* a recipient too many */
	close(open_message("s@example", to, 1, 1));
	msg_rcpts_put(seam_body(), to, 1);
	seam_send(smtpd, QUEUE_RCPTS, number, -1);
	refused(smtpd, PEER_SMTPD);
	close(smtpd);
	smtpd = seam_connect(&d, PEER_SMTPD, 2);
	expect_state(250);
	submit_one("s@example", to[0], "x\r\n");
	stop();
}
END_TEST

/* --- who dies, and who lies -------------------------------------------------------
 */

START_TEST(an_accepted_message_outlives_queue)
{
	uint64_t id;

	begin();
	id = submit_one("a@example", "bob@example.org", "text\r\n");
	kill_queue();
	begin();
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, id, "bob@example.org");
	ck_assert(span_eq(delivery.content, SPAN("text\r\n")));
	ck_assert(delivery.maybe);
	result(local, 250, SCOPE_RECIPIENT);
	kill_queue();
	begin();
	silence(lookup);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

static void
underway(int agent, const struct handout *h, const uint32_t *rcpts, uint32_t n)
{
	struct msg_underway u = { .handout = *h, .nrcpts = n };

	memcpy(u.rcpts, rcpts, n * sizeof *rcpts);
	msg_underway_put(seam_body(), &u);
	seam_send(agent, AGENT_UNDERWAY, 0, -1);
}

START_TEST(what_is_under_way_is_not_handed_out_again)
{
	static const char *const to[] = { "a@example.org", "b@example.org" };
	struct handout h, old;

	begin();
	submit("s@example", to, 2, "x\r\n");
	accepted();
	to_mailbox(to[0], "u");
	to_mailbox(to[1], "u");
	delivered_to(local, 0, to[0]);
	h = delivery.handout;
	ck_assert_uint_eq(delivery.nrcpts, 2);
	kill_queue();
	start();
	/* The new one asks at once, but local may still have them. */
	to_mailbox(to[0], "u");
	underway(local, &h, (uint32_t[]){ 0, 1 }, 2);
	old = (struct handout){ h.message, h.attempt - 1 };
	underway(local, &old, (uint32_t[]){ 9 }, 1);
	hello(local);
	hello(remote);
	(void)asked(to[1]);
	silence(local);
	/* A result that was lost with the old queue comes again. */
	send_result(
	    local, &h, (uint32_t[]){ 0 }, 1, 250, SCOPE_RECIPIENT, false);
	send_result(
	    local, &h, (uint32_t[]){ 1 }, 1, 450, SCOPE_RECIPIENT, true);
	recorded(local, &h);
	/* of one that is not known any more */
	send_result(
	    local, &old, (uint32_t[]){ 9 }, 1, 250, SCOPE_RECIPIENT, true);
	recorded(local, &old);
	counted(1);
	to_mailbox(to[1], "u");
	delivered_to(local, h.message, to[1]);
	ck_assert_uint_gt(delivery.handout.attempt, h.attempt);
	result(local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(an_agent_that_dies_leaves_a_maybe)
{
	uint64_t id;

	begin();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, id, "bob@example.org");
	ck_assert(!delivery.maybe);
	close(local);
	local = seam_connect(&d, PEER_LOCAL, 1);
	hello(local);
	silence(lookup);
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, id, "bob@example.org");
	ck_assert(delivery.maybe);
	result(local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(what_a_stop_cut_short_is_tried_soon)
{
	struct msg_result r = { .nrcpts = 1, .last = true };

	conf.retry_first = conf.retry_max = 600;
	begin();
	submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, 0, "bob@example.org");
	r.handout = delivery.handout;
	reply_make(&r.reply, R_STOPPING, NULL);
	msg_result_put(seam_body(), &r);
	seam_send(local, AGENT_RESULT, 0, -1);
	recorded(local, &r.handout);
	silence(lookup);
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, 0, "bob@example.org");
	result(local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(lookup_may_die)
{
	begin();
	submit_one("a@example", "bob@example.org", "x\r\n");
	(void)asked("bob@example.org");
	close(lookup);
	lookup = seam_connect(&d, PEER_LOOKUP, 0);
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, 0, "bob@example.org");
	/* no attempt was made */
	result(local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(an_agent_answers_only_for_what_it_has)
{
	const uint32_t zero = 0, one = 1;
	struct handout h;
	uint64_t id;

	begin();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, id, "bob@example.org");
	h = delivery.handout;
	/* another agent's */
	send_result(remote, &h, &zero, 1, 250, SCOPE_RECIPIENT, true);
	refused(remote, PEER_REMOTE);
	close(remote);
	/* a recipient that is not in it */
	send_result(local, &h, &one, 1, 250, SCOPE_RECIPIENT, true);
	refused(local, PEER_LOCAL);
	close(local);
	ck_assert_uint_eq(count(), 1);
	local = seam_connect(&d, PEER_LOCAL, 1);
	remote = seam_connect(&d, PEER_REMOTE, 1);
	/* Once greeted, nobody can claim what this queue knows of itself. */
	underway(remote, &h, &zero, 1);
	hello(remote);
	send_result(remote, &h, &zero, 1, 250, SCOPE_RECIPIENT, true);
	recorded(remote, &h);
	ck_assert_uint_eq(count(), 1);
	hello(local);
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, id, "bob@example.org");
	result(local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

START_TEST(a_delivery_may_end_while_queue_stops)
{
	begin();
	submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(local, 0, "bob@example.org");
	seam_body();
	seam_send(d.master, MASTER_STOP, 0, -1);
	submit("a@example", &(const char *){ "c@example.org" }, 1, "x\r\n");
	not_accepted(451);
	silence(lookup);
	result(local, 250, SCOPE_RECIPIENT);
	ck_assert_int_eq(seam_wait(&d), 0);
	hang_up();
	begin();
	silence(lookup);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

/* --- a host that does not answer ----------------------------------------------------
 */

/* Two hand-outs of remote, both of them delivered. */
static void
both(uint64_t id, const char *rcpt, uint64_t id2, const char *rcpt2)
{
	struct handout first;

	delivered_to(remote, id, rcpt);
	first = delivery.handout;
	delivered_to(remote, id2, rcpt2);
	result(remote, 250, SCOPE_RECIPIENT);
	send_result(
	    remote, &first, (uint32_t[]){ 0 }, 1, 250, SCOPE_RECIPIENT, true);
	recorded(remote, &first);
}

START_TEST(a_host_that_fails_holds_back_the_others)
{
	static const char *const to[] = { "a@b.example", "b@b.example",
		"c@b.example", "d@b.example" };
	char id[ID_LEN + 1];
	uint64_t ids[4];
	struct handout first;

	conf.retry_first = 600;
	conf.retry_max = 6000;
	begin();
	for (int i = 0; i < 4; i++) {
		ids[i] = submit_one("s@example", to[i], "x\r\n");
		to_host(to[i], "b.example");
	}
	/* two at once to one host */
	delivered_to(remote, ids[0], to[0]);
	first = delivery.handout;
	delivered_to(remote, ids[1], to[1]);
	silence(remote);
	send_result(
	    remote, &first, (uint32_t[]){ 0 }, 1, 451, SCOPE_HOST, true);
	recorded(remote, &first);
	result(remote, 451, SCOPE_HOST);
	silence(remote);
	silence(lookup);
	ck_assert_uint_eq(count(), 4);
	/* An administrator knows better. */
	id_format(id, ids[3]);
	act(VERB_RETRY, false, id);
	ck_assert_uint_eq(page.matched, 1);
	to_host(to[2], "b.example");
	to_host(to[3], "b.example");
	both(ids[2], to[2], ids[3], to[3]);
	silence(lookup);
	act(VERB_RETRY, false, NULL);
	ck_assert_uint_eq(page.matched, 2);
	to_host(to[0], "b.example");
	to_host(to[1], "b.example");
	both(ids[0], to[0], ids[1], to[1]);
	counted(0);
	stop();
}
END_TEST

/* Those that wait for a dead host are not forgotten. */
START_TEST(what_waits_behind_a_dead_host_expires)
{
	static const char *const to[] = { "a@b.example", "b@b.example",
		"c@b.example" };
	uint64_t ids[3];

	conf.expire = 3;
	conf.retry_first = 4;
	conf.host_concurrency = 1;
	begin();
	for (int i = 0; i < 3; i++) {
		ids[i] = submit_one("s@example", to[i], "x\r\n");
		to_host(to[i], "b.example");
	}
	delivered_to(remote, ids[0], to[0]);
	result(remote, 451, SCOPE_HOST);
	silence(remote);
	/* The first is due again, and waits as well. */
	to_host(to[0], "b.example");
	silence(remote);
	/* When the host has another chance the time of all is over. */
	for (int i = 0; i < 3; i++) {
		to_mailbox("s@example", "s");
		delivered_to(local, 0, "s@example");
		content_has("Status: 5.4.7\r\n");
		content_has("Diagnostic-Code: smtp; 451 4.1.1 what the host");
		result(local, 250, SCOPE_RECIPIENT);
	}
	silence(remote);
	counted(0);
	stop();
}
END_TEST

/* --- admin commands -------------------------------------------------------------------
 */

START_TEST(an_administrator_looks_and_deletes)
{
	static const char *const to[] = { "a@b.example", "b@c.example" };
	struct msg_detail detail;
	struct msg_content content;
	char id[ID_LEN + 1], back[64];
	struct handout h;
	uint64_t ids[2];

	conf.retry_first = 600;
	begin();
	submit("s@example", to, 2, "text\r\n");
	ids[0] = accepted();
	to_host(to[0], "b.example");
	to_host(to[1], "c.example");
	delivered_to(remote, ids[0], to[0]);
	h = delivery.handout;
	delivered_to(remote, ids[0], to[1]); /* stays under way */
	send_result(
	    remote, &h, (uint32_t[]){ 0 }, 1, 451, SCOPE_RECIPIENT, true);
	recorded(remote, &h);
	ids[1] = submit_one("t@example", to[0], "x\r\n");
	(void)asked(to[0]);
	counted(3);
	act(VERB_LIST, false, NULL);
	ck_assert_uint_eq(page.nrows, 3);
	ck_assert(!page.more);
	ck_assert_uint_eq(page.rows[0].id, ids[0]);
	ck_assert(span_is(page.rows[0].rcpt, to[0]));
	ck_assert(span_is(page.rows[0].sender, "s@example"));
	ck_assert_int_eq(page.rows[0].state, STATE_DEFERRED);
	ck_assert_uint_eq(page.rows[0].code, 451);
	ck_assert_uint_eq(page.rows[0].attempts, 1);
	ck_assert_uint_eq(page.rows[0].size, 6);
	ck_assert_int_eq(page.rows[1].state, STATE_ACTIVE);
	ck_assert_int_eq(page.rows[1].next, 0);
	ck_assert_uint_eq(page.rows[2].id, ids[1]);

	msg_show_put(seam_body(), &(struct msg_show){ ids[0], 0 });
	seam_send(control, CONTROL_SHOW, 8, -1);
	seam_recv(control, &k, CONTROL_DETAIL);
	ck_assert_int_eq(msg_detail_get(&k, &detail), 0);
	ck_assert_uint_eq(detail.nrcpts, 2);
	ck_assert_uint_eq(detail.n, 2);
	ck_assert(span_is(detail.client, "192.0.2.9"));
	ck_assert_str_eq(detail.rcpts[0].reply.text, "what the host said");
	ck_assert(span_is(detail.rcpts[0].host, "mx.b.example [192.0.2.1]"));
	ck_assert_uint_eq(detail.rcpts[1].reply.code, 0);

	msg_show_put(seam_body(), &(struct msg_show){ ids[0], 0 });
	seam_send(control, CONTROL_CAT, 9, -1);
	seam_recv(control, &k, CONTROL_CONTENT);
	ck_assert_int_eq(msg_content_get(&k, &content), 0);
	ck_assert_uint_eq(content.size, 6);
	ck_assert_int_eq(pread(k.fd, back, sizeof back, 0), 6);
	ck_assert_int_eq(memcmp(back, "text\r\n", 6), 0);
	ck_assert(span_starts(content.prefix, "Received: "));
	close(k.fd);

	msg_show_put(seam_body(), &(struct msg_show){ ids[0] - 1, 0 });
	seam_send(control, CONTROL_CAT, 10, -1);
	seam_recv(control, &k, CONTROL_CONTENT);
	ck_assert_int_eq(k.fd, -1);

	id_format(id, ids[0]);
	act(VERB_DELETE, true, id);
	ck_assert_uint_eq(page.matched, 2);
	counted(3);
	act(VERB_DELETE, false, id);
	ck_assert_uint_eq(page.matched, 2);
	ck_assert_uint_eq(count(), 1);
	/* What was under way ends without a trace. */
	result(remote, 550, SCOPE_RECIPIENT);
	silence(lookup);
	act(VERB_DELETE, false, NULL);
	ck_assert_uint_eq(page.matched, 1);
	counted(0);
	stop();
	begin();
	silence(lookup);
	ck_assert_uint_eq(count(), 0);
	stop();
}
END_TEST

START_TEST(pages_go_on_where_the_last_ended)
{
	static char names[400][32];
	const char *to[400];
	struct msg_act a = { .verb = VERB_LIST };
	uint32_t seen = 0;

	for (int i = 0; i < 400; i++) {
		snprintf(names[i], sizeof names[i], "u%d@b.example", i);
		to[i] = names[i];
	}
	begin();
	submit("s@example", to, 400, "x\r\n");
	accepted();
	do {
		msg_act_put(seam_body(), &a);
		seam_send(control, CONTROL_ACT, 7, -1);
		seam_recv(control, &k, CONTROL_PAGE);
		ck_assert_int_eq(msg_page_get(&k, &page), 0);
		for (uint32_t i = 0; i < page.nrows; i++)
			ck_assert(span_is(page.rows[i].rcpt, to[seen++]));
		a.cursor = page.cursor;
	} while (page.more);
	ck_assert_uint_eq(seen, 400);
	act(VERB_DELETE, false, NULL);
	ck_assert_uint_eq(page.matched, 400);
	counted(0);
	stop();
}
END_TEST

/* --- much at once -----------------------------------------------------------------------
 */

#define MANY 2000

/* More than a batch holds: queue reads no faster than it can write. */
START_TEST(large_messages_wait_their_turn)
{
	static char text[60 * 1024];
	const char *to = "bob@example.org";
	struct pollfd p;
	unsigned sent = 0, answers = 0;

	memset(text, 'x', sizeof text - 1);
	begin();
	p.fd = smtpd;
	while (answers < 300) {
		p.events = sent < 300 ? POLLIN | POLLOUT : POLLIN;
		ck_assert_int_gt(poll(&p, 1, SEAM_MS), 0);
		if ((p.revents & POLLOUT) != 0) {
			submit("a@example", &to, 1, text);
			sent++;
		}
		if ((p.revents & POLLIN) != 0) {
			seam_recv(smtpd, &k, QUEUE_ANSWER);
			answers++;
		}
	}
	counted(300);
	stop();
}
END_TEST

/* More than fits any window, all of it at once. */
START_TEST(many_messages)
{
	static bool done[MANY];
	const char *to = "bob@example.org";
	struct handout h;
	unsigned answers = 0, handed = 0, recordings = 0;
	struct route route = {
		.kind = ROUTE_MAILDIR_SYSTEM, .user = "bob", .path = "Maildir"
	};
	uint32_t base;

	begin();
	base = number + 1;
	for (unsigned sent = 0; answers < MANY || recordings < MANY;) {
		if (sent < MANY && sent - answers < 500) {
			submit("a@example", &to, 1, "text\r\n");
			sent++;
		}
		while (seam_recv_within(smtpd, &k, 0)) {
			struct reply r;

			ck_assert_uint_eq(k.type, QUEUE_ANSWER);
			ck_assert_int_eq(msg_reply_get(&k, &r), 0);
			ck_assert_uint_eq(r.code, 250);
			ck_assert_uint_lt(k.id - base, MANY);
			ck_assert(!done[k.id - base]);
			done[k.id - base] = true;
			answers++;
		}
		while (seam_recv_within(lookup, &k, 0))
			answer_route(k.id, 250, &route);
		while (seam_recv_within(local, &k, 0)) {
			if (k.type == AGENT_RECORDED) {
				recordings++;
				continue;
			}
			ck_assert_int_eq(msg_deliver_get(&k, &delivery), 0);
			h = delivery.handout;
			send_result(local, &h, (uint32_t[]){ 0 }, 1, 250,
			    SCOPE_RECIPIENT, true);
			handed++;
		}
	}
	ck_assert_uint_eq(handed, MANY);
	counted(0);
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("queue");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_message_is_accepted_and_delivered);
	tcase_add_test(t, nothing_is_handed_out_before_hello);
	tcase_add_test(t, recipients_of_one_route_are_one_handout);
	tcase_add_test(t, a_deferred_recipient_is_tried_again);
	tcase_add_test(t, a_failed_recipient_is_a_bounce);
	tcase_add_test(t, lookup_may_fail_or_defer_a_recipient);
	tcase_add_test(t, what_expires_is_a_bounce);
	tcase_add_loop_test(t, a_large_message_comes_through_a_pipe, 0, 5);
	tcase_add_test(t, half_a_message_is_none);
	tcase_add_test(t, what_makes_no_sense_closes_the_channel);
	tcase_add_test(t, an_accepted_message_outlives_queue);
	tcase_add_test(t, what_is_under_way_is_not_handed_out_again);
	tcase_add_test(t, an_agent_that_dies_leaves_a_maybe);
	tcase_add_test(t, what_a_stop_cut_short_is_tried_soon);
	tcase_add_test(t, lookup_may_die);
	tcase_add_test(t, an_agent_answers_only_for_what_it_has);
	tcase_add_test(t, a_delivery_may_end_while_queue_stops);
	tcase_add_test(t, a_host_that_fails_holds_back_the_others);
	tcase_add_test(t, what_waits_behind_a_dead_host_expires);
	tcase_add_test(t, an_administrator_looks_and_deletes);
	tcase_add_test(t, pages_go_on_where_the_last_ended);
	tcase_add_test(t, large_messages_wait_their_turn);
	tcase_add_test(t, many_messages);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
