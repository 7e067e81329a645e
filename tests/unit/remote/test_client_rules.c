/*
 * test_client_rules.c - what holds for the client whatever a server says.
 */
#include "tests/unit/remote/play.h"

/* ---- servers that say anything -------------------------------------------- */

struct fuzz {
	struct play p;
	uint32_t nrcpts;
	unsigned results[4];
	bool begun;
};

static uint32_t
with_result(const struct fuzz *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->nrcpts; i++)
		n += f->results[i];
	return n;
}

/* Do as the event says; the next one, or MORE. */
static enum client_event
fuzz_obey(struct fuzz *f, enum client_event e)
{
	struct client *c = &f->p.c;

	if (e == CLIENT_RESULT)
		for (uint32_t i = 0; i < c->nwho; i++)
			ck_assert_uint_eq(++f->results[c->who[i]], 1);
	else if (e == CLIENT_CONTENT)
		client_content_sent(c);
	else if (e == CLIENT_READY && f->begun) {
		ck_assert_uint_eq(with_result(f), f->nrcpts);
		client_quit(c);
	} else if (e == CLIENT_READY) {
		f->begun = true;
		return client_mail(c, &f->p.mail, f->p.done);
	}
	return CLIENT_MORE;
}

/* True if the session is over, and then as it must be. */
static bool
fuzz_over(const struct fuzz *f, enum client_event e)
{
	if (e == CLIENT_FAILED)
		ck_assert(with_result(f) < f->nrcpts);
	else if (e == CLIENT_CLOSE)
		ck_assert_uint_eq(with_result(f), f->begun ? f->nrcpts : 0);
	else
		return false;
	return true;
}

static bool
fuzz_feed(struct fuzz *f, enum client_event e, const char *word)
{
	struct play *p = &f->p;
	struct span in;

	memcpy(p->in + p->nin, word, strlen(word));
	in = span_from(p->in, p->nin + strlen(word));
	for (;;) {
		if (fuzz_over(f, e))
			return true;
		if (e != CLIENT_MORE) {
			e = fuzz_obey(f, e);
			continue;
		}
		e = client_input(&p->c, &in);
		if (e == CLIENT_MORE)
			break;
	}
	memmove(p->in, in.p, in.n);
	p->nin = in.n;
	return false;
}

/* Mostly what keeps it going, so that every state is met. */
static const char *
fuzz_word(unsigned seed, int turn)
{
	static const char *const words[] = { "250 ok\r\n", "250-a\r\n",
		"354 go\r\n", "550 no\r\n", "421 x\r\n", "220 x\r\n",
		"450 x\r\n", "\r\n", "x\n", "250 PIPELINING\r\n",
		"250-PIPELINING\r\n250 x\r\n", "500 x\r\n", "250-SIZE 9\r\n",
		"99999\r\n" };

	if (turn == 0 && seed % 8 != 0)
		return words[5];
	if (turn == 1 && seed % 7 != 0)
		return words[seed % 2 == 0 ? 0 : 10];
	return words[random() % 3 != 0 ? random() % 4 : random() % 14];
}

/* True if the message got as far as its content. */
static bool
fuzz_one(unsigned seed)
{
	static struct fuzz f;
	struct script s = { .nrcpts = 1 + seed % 4,
		.protocol = seed / 4 % 3 == 0 ? CLIENT_LMTP : CLIENT_SMTP };
	bool over = false, deep = false;

	srandom(seed);
	memset(&f, 0, sizeof f);
	start(&f.p, &s);
	f.nrcpts = s.nrcpts;
	for (int turn = 0; turn < 64 && !over; turn++) {
		over = fuzz_feed(&f, CLIENT_MORE, fuzz_word(seed, turn));
		deep |= client_in_doubt(&f.p.c);
		buf_clear(&f.p.c.out);
	}
	if (!over)
		over =
		    fuzz_feed(&f, client_lost(&f.p.c, R_HOST_CLOSED, ""), "");
	ck_assert(over);
	client_fini(&f.p.c);
	return deep;
}

START_TEST(no_result_twice_whatever_comes)
{
	unsigned deep = 0;

	for (unsigned seed = 0; seed < 20000; seed++)
		deep += fuzz_one(seed);
	ck_assert_uint_gt(deep, 100);
}
END_TEST

START_TEST(a_hundred_recipients_fit_into_one_write)
{
	static struct play p;
	struct script s = { .nrcpts = DELIVER_RCPTS_MAX };
	char address[ADDRESS_MAX + 1];

	start(&p, &s);
	memset(address, 'a', ADDRESS_MAX);
	address[ADDRESS_MAX] = '\0';
	for (uint32_t i = 0; i < s.nrcpts; i++)
		p.mail.rcpts[i].address = span_of(address);
	p.mail.sender = span_of(address);
	strcpy(p.in, "220 x\r\n");
	p.nin = 7;
	drain(&p, CLIENT_MORE);
	strcpy(p.in, "250-x\r\n250 PIPELINING\r\n");
	p.nin = strlen(p.in);
	drain(&p, CLIENT_MORE);
	ck_assert_str_eq(p.events, "ready;");
	ck_assert_int_eq(client_mail(&p.c, &p.mail, p.done), CLIENT_MORE);
	ck_assert_uint_gt(p.c.out.n, DELIVER_RCPTS_MAX * ADDRESS_MAX);
	ck_assert(!p.c.speechless);
	client_fini(&p.c);
}
END_TEST

/* How far each reply reaches: queue holds back a whole destination by it. */
START_TEST(every_reply_has_its_scope)
{
	static const struct {
		const char *replies;
		enum client_event event;
		enum reply_scope scope;
	} rows[] = {
		{ "450 x\r\n", CLIENT_RESULT, SCOPE_MESSAGE },
		{ "250 x\r\n450 x\r\n", CLIENT_RESULT, SCOPE_RECIPIENT },
		{ "250 x\r\n250 x\r\n450 x\r\n", CLIENT_RESULT, SCOPE_MESSAGE },
		{ "250 x\r\n250 x\r\n421 x\r\n", CLIENT_FAILED, SCOPE_HOST },
		{ "421 x\r\n", CLIENT_FAILED, SCOPE_HOST },
	};
	static struct play p;
	const struct script s = { .nrcpts = 1 };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span in = span_of("220 x\r\n");

		start(&p, &s);
		ck_assert_int_eq(client_input(&p.c, &in), CLIENT_MORE);
		in = span_of("250-x\r\n250 PIPELINING\r\n");
		ck_assert_int_eq(client_input(&p.c, &in), CLIENT_READY);
		client_mail(&p.c, &p.mail, p.done);
		in = span_of(rows[i].replies);
		ck_assert_int_eq(client_input(&p.c, &in), rows[i].event);
		ck_assert_int_eq(p.c.reply.scope, rows[i].scope);
		client_fini(&p.c);
	}
}
END_TEST

START_TEST(time_limits_are_those_of_the_rfc)
{
	static const struct {
		enum client_state state;
		unsigned seconds;
	} rows[] = {
		{ CLIENT_AT_GREETING, 5 * 60 },
		{ CLIENT_AT_MAIL, 5 * 60 },
		{ CLIENT_AT_RCPT, 5 * 60 },
		{ CLIENT_AT_DATA, 2 * 60 },
		{ CLIENT_SENDING, 3 * 60 },
		{ CLIENT_AT_END, 10 * 60 },
	};
	struct client c;

	client_init(&c, CLIENT_SMTP, "x");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		c.state = rows[i].state;
		ck_assert_uint_eq(client_seconds(&c), rows[i].seconds);
	}
	for (int i = 0; i < CLIENT_STATE_END; i++) {
		c.state = (enum client_state)i;
		ck_assert_ptr_nonnull(client_doing(&c));
	}
	client_fini(&c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("client_rules");
	TCase *t = tcase_create("client_rules");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, no_result_twice_whatever_comes);
	tcase_add_test(t, a_hundred_recipients_fit_into_one_write);
	tcase_add_test(t, every_reply_has_its_scope);
	tcase_add_test(t, time_limits_are_those_of_the_rfc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
