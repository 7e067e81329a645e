/*
 * queue_house.c - see queue_house.h.
 */
#include <sys/wait.h>

#include <check.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/queue_house.h"

#define NOBODY 65534
#define MOMENT 300 /* milliseconds in which something would have come */

static struct queue_house house;

/* --- the house ---------------------------------------------------------------
 */

void
hello(int agent)
{
	msg_hello_put(seam_body(), &(struct msg_hello){ 100 });
	seam_send(agent, AGENT_HELLO, 0, -1);
}

void
expect_state(unsigned code)
{
	struct reply r;

	seam_recv(house.smtpd, &house.k, QUEUE_STATE);
	ck_assert_int_eq(msg_reply_get(&house.k, &r), 0);
	ck_assert_uint_eq(r.code, code);
}

void
start(void)
{
	seam_start(&house.d, "queue", &house.conf);
	house.smtpd = seam_connect(&house.d, PEER_SMTPD, 0);
	house.lookup = seam_connect(&house.d, PEER_LOOKUP, 0);
	house.local = seam_connect(&house.d, PEER_LOCAL, 0);
	house.remote = seam_connect(&house.d, PEER_REMOTE, 0);
	house.control = seam_connect(&house.d, PEER_CONTROL, 0);
	expect_state(250);
}

void
begin(void)
{
	start();
	hello(house.local);
	hello(house.remote);
}

void
hang_up(void)
{
	const int all[] = { house.smtpd, house.lookup, house.local,
		house.remote, house.control };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		close(all[i]);
}

/* As a power cut, but for what the kernel holds. */
void
kill_queue(void)
{
	kill(house.d.pid, SIGKILL);
	waitpid(house.d.pid, NULL, 0);
	close(house.d.master);
	hang_up();
}

void
stop(void)
{
	ck_assert_int_eq(seam_stop(&house.d), 0);
	hang_up();
}

struct queue_house *
set_up(void)
{
	house.conf = (struct conf){ .hostname = "mx.example",
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
	snprintf(
	    house.spool, sizeof house.spool, "/tmp/sallyport-queue-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(house.spool));
	if (geteuid() == 0)
		ck_assert_int_eq(chown(house.spool, NOBODY, NOBODY), 0);
	snprintf(house.conf.spool, sizeof house.conf.spool, "%s", house.spool);
	return &house;
}

static int
remove_one(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

void
tear_down(void)
{
	nftw(house.spool, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
silence(int channel)
{
	ck_assert_msg(!seam_recv_within(channel, &house.k, MOMENT),
	    "a message %#x came", house.k.type);
}

/* Queue was told wrong: it closes the channel, complains, and lives on. */
void
refused(int channel, enum peer kind)
{
	struct msg_complain complain;

	ck_assert(seam_closed(channel));
	seam_recv(house.d.master, &house.k, MASTER_COMPLAIN);
	ck_assert_int_eq(msg_complain_get(&house.k, &complain), 0);
	ck_assert_int_eq(complain.kind, kind);
}

/* --- smtpd --------------------------------------------------------------------
 */

struct envelope
envelope(const char *from, uint32_t nrcpts)
{
	return (struct envelope){ .sender = span_of(from),
		.helo = SPAN("client.example"),
		.client = SPAN("192.0.2.9"),
		.with = WITH_ESMTP,
		.body = BODY_8BITMIME,
		.nrcpts = nrcpts };
}

void
submit(const char *from, const char *const *to, uint32_t n, const char *text)
{
	struct envelope e = envelope(from, n);

	msg_submit_put(seam_body(), &e, to, n, span_of(text));
	seam_send(house.smtpd, QUEUE_SUBMIT, ++house.number, -1);
}

/* The answer to the last request, and the id in it. */
uint64_t
accepted(void)
{
	struct reply r;
	struct span text;
	uint64_t id;

	seam_recv(house.smtpd, &house.k, QUEUE_ANSWER);
	ck_assert_uint_eq(house.k.id, house.number);
	ck_assert_int_eq(msg_reply_get(&house.k, &r), 0);
	ck_assert_msg(r.code == 250, "%u %s", r.code, r.text);
	text = span_of(r.text);
	ck_assert(id_parse(span_cut(&text, ' '), &id));
	ck_assert(span_is(text, "queued"));
	return id;
}

void
not_accepted(unsigned code)
{
	struct reply r;

	seam_recv(house.smtpd, &house.k, QUEUE_ANSWER);
	ck_assert_uint_eq(house.k.id, house.number);
	ck_assert_int_eq(msg_reply_get(&house.k, &r), 0);
	ck_assert_uint_eq(r.code, code);
}

uint64_t
submit_one(const char *from, const char *to, const char *text)
{
	submit(from, &to, 1, text);
	return accepted();
}

/* --- lookup -------------------------------------------------------------------
 */

void
answer_route(uint32_t id, unsigned code, const struct route *route)
{
	struct msg_routed routed = { .reply = { .code = (uint16_t)code } };

	snprintf(routed.reply.text, sizeof routed.reply.text, "from lookup");
	if (route != NULL)
		routed.route = *route;
	msg_routed_put(seam_body(), &routed);
	seam_send(house.lookup, ROUTE_ANSWER, id, -1);
}

/* Queue asks about `rcpt`; the request's id. */
uint32_t
asked(const char *rcpt)
{
	struct msg_route ask;

	seam_recv(house.lookup, &house.k, ROUTE_ASK);
	ck_assert_int_eq(msg_route_get(&house.k, &ask), 0);
	ck_assert_msg(span_is(ask.rcpt, rcpt), "asked about %.*s, not %s",
	    (int)ask.rcpt.n, ask.rcpt.p, rcpt);
	return house.k.id;
}

void
to_mailbox(const char *rcpt, const char *user)
{
	struct route r = { .kind = ROUTE_MAILDIR_SYSTEM, .path = "Maildir" };

	snprintf(r.user, sizeof r.user, "%s", user);
	answer_route(asked(rcpt), 250, &r);
}

void
to_host(const char *rcpt, const char *host)
{
	struct route r = { .kind = ROUTE_MX };

	snprintf(r.host, sizeof r.host, "%s", host);
	answer_route(asked(rcpt), 250, &r);
}

/* --- agents -------------------------------------------------------------------
 */

void
delivered_to(int agent, uint64_t id, const char *rcpt)
{
	seam_recv(agent, &house.k, AGENT_DELIVER);
	ck_assert_int_eq(msg_deliver_get(&house.k, &house.delivery), 0);
	if (id != 0)
		ck_assert_uint_eq(house.delivery.handout.message, id);
	ck_assert_uint_ge(house.delivery.nrcpts, 1);
	ck_assert(span_is(house.delivery.rcpts[0].address, rcpt));
}

void
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

void
recorded(int agent, const struct handout *h)
{
	struct msg_recorded r;

	seam_recv(agent, &house.k, AGENT_RECORDED);
	ck_assert_int_eq(msg_recorded_get(&house.k, &r), 0);
	ck_assert_uint_eq(r.handout.message, h->message);
	ck_assert_uint_eq(r.handout.attempt, h->attempt);
}

/* All of the last hand-out has this reply, and it is recorded. */
void
result(int agent, unsigned code, enum reply_scope scope)
{
	struct handout h = house.delivery.handout;
	uint32_t rcpts[DELIVER_RCPTS_MAX];

	for (uint32_t i = 0; i < house.delivery.nrcpts; i++)
		rcpts[i] = house.delivery.rcpts[i].index;
	send_result(agent, &h, rcpts, house.delivery.nrcpts, code, scope, true);
	recorded(agent, &h);
}

void
underway(int agent, const struct handout *h, const uint32_t *rcpts, uint32_t n)
{
	struct msg_underway u = { .handout = *h, .nrcpts = n };

	memcpy(u.rcpts, rcpts, n * sizeof *rcpts);
	msg_underway_put(seam_body(), &u);
	seam_send(agent, AGENT_UNDERWAY, 0, -1);
}

/* --- control ------------------------------------------------------------------
 */

void
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
	seam_send(house.control, CONTROL_ACT, 7, -1);
	seam_recv(house.control, &house.k, CONTROL_PAGE);
	ck_assert_uint_eq(house.k.id, 7);
	ck_assert_int_eq(msg_page_get(&house.k, &house.page), 0);
	ck_assert_uint_eq(house.page.reply.code, 250);
}

/* How many recipients are in the queue. */
uint64_t
count(void)
{
	act(VERB_COUNT, false, NULL);
	ck_assert(!house.page.more);
	return house.page.matched;
}

/* Until so many are there: what was recorded is counted a moment later. */
void
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

/* --- contents -----------------------------------------------------------------
 */

void
content_has(const char *text)
{
	ck_assert_msg(memmem(house.delivery.content.p, house.delivery.content.n,
			  text, strlen(text)) != NULL,
	    "no \"%s\" in:\n%.*s", text, (int)house.delivery.content.n,
	    house.delivery.content.p);
}

char *
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

int
open_message(const char *from, const char *const *to, uint32_t n, uint32_t all)
{
	struct envelope e = envelope(from, all);
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	msg_submit_put(seam_body(), &e, to, n, SPAN(""));
	seam_send(house.smtpd, QUEUE_OPEN, ++house.number, fds[0]);
	close(fds[0]);
	return fds[1];
}

void
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		ck_assert_int_gt(done, 0);
		p += done;
		n -= (size_t)done;
	}
}

void
end_message(uint64_t size)
{
	msg_end_put(seam_body(), &(struct msg_end){ size });
	seam_send(house.smtpd, QUEUE_END, house.number, -1);
}
