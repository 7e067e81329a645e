/*
 * codec.h - for the tests of messages: what holds for the put and get of each.
 *
 * A codec's put writes a sample.  Its get reads any message, puts what it has
 * read once more, and where `check` is set compares it with the sample.
 */
#ifndef CODEC_H
#define CODEC_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/mail/reply.h"
#include "common/run/ipc.h"

#define SOME_FD 1000 /* gets only ask whether there is one */
#define ALICE	"alice@example.org"
#define BOB	"bob@example.net"

#define SAME_SPAN(a, b) ck_assert(span_eq(a, b))

struct codec {
	uint16_t type;
	bool fd;
	void (*put)(struct wire_put *);
	int (*get)(struct ipc_msg *, struct wire_put *, bool check);
};

static char body[IPC_BODY_MAX], again[IPC_BODY_MAX];
static struct wire_put writing;
static const struct codec *codecs; /* of this test program */

static const struct reply accepted = { .code = 250,
	.esc = { 2, 1, 5 },
	.scope = SCOPE_DOMAIN,
	.source = BY_HOST,
	.text = "Recipient OK" };
static const struct reply refused = {
	.code = 550, .esc = { 5, 1, 1 }, .source = BY_US, .text = "No such user"
};

static inline void
same_reply(const struct reply *a, const struct reply *b)
{
	ck_assert_uint_eq(a->code, b->code);
	ck_assert_uint_eq(a->esc.class, b->esc.class);
	ck_assert_uint_eq(a->esc.subject, b->esc.subject);
	ck_assert_uint_eq(a->esc.detail, b->esc.detail);
	ck_assert_int_eq(a->scope, b->scope);
	ck_assert_int_eq(a->source, b->source);
	ck_assert_str_eq(a->text, b->text);
}

static const struct {
	uint16_t code;
	int final, any; /* what is got where it must end something, or not */
} codes[] = {
	{ 0, -1, -1 },
	{ 199, -1, -1 },
	{ 200, 0, 0 },
	{ 299, 0, 0 },
	{ 354, -1, 0 },
	{ 421, 0, 0 },
	{ 599, 0, 0 },
	{ 600, -1, -1 },
	{ 65535, -1, -1 },
};

static const struct {
	struct span text;
	int rcpt, sender, asked; /* as a recipient, a sender, in RCPT */
} addresses[] = {
	{ SPAN("alice@example.org"), 0, 0, 0 },
	{ SPAN("\"a b\"@example.org"), 0, 0, 0 },
	{ SPAN("alice@[192.0.2.1]"), 0, 0, 0 },
	{ SPAN(""), -1, 0, -1 },
	{ SPAN("postmaster"), -1, -1, 0 },
	{ SPAN("PostMaster"), -1, -1, 0 },
	{ SPAN("root"), -1, -1, -1 },
	{ SPAN("alice@EXAMPLE.org"), -1, -1, -1 },
	{ SPAN("\"alice\"@example.org"), -1, -1, -1 },
	{ SPAN("<alice@example.org>"), -1, -1, -1 },
	{ SPAN("alice@example.org\n"), -1, -1, -1 },
	{ SPAN("alice@example.org\0"), -1, -1, -1 },
	{ SPAN("alice@"), -1, -1, -1 },
	{ SPAN("@example.org"), -1, -1, -1 },
};

static inline size_t
encode(const struct codec *c)
{
	struct wire_put w = wire_writer(body, sizeof body);

	c->put(&w);
	ck_assert(!w.bad);
	return w.n;
}

/* Of n bytes at p, in memory that ends there; the length put again, or -1. */
static inline ssize_t
decode(const struct codec *c, const char *p, size_t n, bool check)
{
	struct wire_put w = wire_writer(again, sizeof again);
	char *copy = malloc(n + 1);
	struct ipc_msg m = { .type = c->type, .fd = c->fd ? SOME_FD : -1 };
	int rc;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	m.body = wire_reader(span_from(copy, n));
	rc = c->get(&m, &w, check);
	free(copy);
	ck_assert(rc == 0 || rc == -1);
	ck_assert(!w.bad);
	return rc == 0 ? (ssize_t)w.n : -1;
}

static inline struct wire_put *
begin(void)
{
	writing = wire_writer(body, sizeof body);
	return &writing;
}

/* What a get says to what was put. */
static inline int
got(uint16_t type, bool fd,
    int (*get)(struct ipc_msg *, struct wire_put *, bool))
{
	const struct codec c = { .type = type, .fd = fd, .get = get };

	ck_assert(!writing.bad);
	return decode(&c, body, writing.n, false) == -1 ? -1 : 0;
}

START_TEST(what_was_put_comes_back)
{
	size_t n = encode(&codecs[_i]);

	ck_assert_int_eq(decode(&codecs[_i], body, n, true), (ssize_t)n);
	ck_assert_mem_eq(body, again, n);
}
END_TEST

START_TEST(no_other_length_is_taken)
{
	size_t n = encode(&codecs[_i]);

	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(decode(&codecs[_i], body, i, false), -1);
	for (int c = 0; c < 256; c++) {
		body[n] = (char)c;
		ck_assert_int_eq(decode(&codecs[_i], body, n + 1, false), -1);
	}
}
END_TEST

/* Whatever a bit says, the message is refused, or it is another message that
 * is put as it came: there are no two ways to say one thing. */
START_TEST(each_bit_is_looked_at)
{
	size_t n = encode(&codecs[_i]);

	for (size_t bit = 0; bit < 8 * n; bit++) {
		char good = body[bit / 8];

		body[bit / 8] = (char)(good ^ 1 << bit % 8);
		if (decode(&codecs[_i], body, n, false) != -1)
			ck_assert_mem_eq(body, again, n);
		body[bit / 8] = good;
	}
}
END_TEST

START_TEST(a_small_buffer_is_bad_and_not_passed)
{
	size_t n = encode(&codecs[_i]);

	for (size_t i = 0; i < n; i++) {
		struct wire_put w = wire_writer(body, i);

		codecs[_i].put(&w);
		ck_assert(w.bad);
	}
}
END_TEST

static inline TCase *
for_all(const struct codec *all, size_t n)
{
	TCase *t = tcase_create("all");

	codecs = all;
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, what_was_put_comes_back, 0, (int)n);
	tcase_add_loop_test(t, no_other_length_is_taken, 0, (int)n);
	tcase_add_loop_test(t, each_bit_is_looked_at, 0, (int)n);
	tcase_add_loop_test(t, a_small_buffer_is_bad_and_not_passed, 0, (int)n);
	return t;
}

#endif
