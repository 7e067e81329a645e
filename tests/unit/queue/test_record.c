/*
 * test_record.c - records as bytes: what was put is got, and nothing else is.
 */
#include <stdio.h>
#include <stdlib.h>

#include <check.h>
#include <sodium.h>

#include "queue/segment.h"

static struct record_seal seal = { .key = "the key of these tests",
	.nonce = "nonce one" };
static struct buf b;

static void
setup(void)
{
	ck_assert_int_ne(sodium_init(), -1);
	buf_init(&b, 1 << 20);
}

static void
teardown(void)
{
	buf_fini(&b);
}

static void
add(enum record_type type, uint64_t seq, struct span payload)
{
	ck_assert_int_eq(record_add(&b, &seal, type, seq, payload), 0);
}

START_TEST(what_was_added_is_got)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 4096, 100000 };
	char *payload = malloc(100000);
	struct record r;
	size_t at = 0, seen = 0;

	memset(payload, 'p', 100000);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		add(RECORD_CONTENT, 7 + i, span_from(payload, sizes[i]));
	for (; at < b.n; at += r.size, seen++) {
		ck_assert_int_eq(
		    record_get(span_skip(buf_span(&b), at), &seal, &r), 0);
		ck_assert_int_eq(r.type, RECORD_CONTENT);
		ck_assert_uint_eq(r.seq, 7 + seen);
		ck_assert_uint_eq(r.payload.n, sizes[seen]);
		ck_assert_uint_eq(r.size % RECORD_ALIGN, 0);
		ck_assert_uint_eq(r.size, record_size(r.payload.n));
	}
	ck_assert_uint_eq(seen, sizeof sizes / sizeof *sizes);
	free(payload);
}
END_TEST

START_TEST(a_truncated_record_is_none)
{
	struct record r;

	add(RECORD_ABANDON, 1, SPAN("some payload"));
	for (size_t n = 0; n < b.n; n++)
		ck_assert_int_eq(record_get(span_from(b.p, n), &seal, &r), -1);
	ck_assert_int_eq(record_get(buf_span(&b), &seal, &r), 0);
}
END_TEST

START_TEST(a_changed_bit_is_found)
{
	struct record r;
	size_t payload_end = RECORD_HEADER + 12, found = 0;

	add(RECORD_ABANDON, 1, SPAN("some payload"));
	for (size_t bit = 0; bit < 8 * payload_end; bit++, found++) {
		b.p[bit / 8] ^= (char)(1 << bit % 8);
		ck_assert_int_eq(record_get(buf_span(&b), &seal, &r), -1);
		b.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	ck_assert_uint_eq(found, 8 * 52);
	ck_assert_int_eq(record_get(buf_span(&b), &seal, &r), 0);
}
END_TEST

START_TEST(another_segment_or_key_makes_it_invalid)
{
	struct record_seal other = seal;
	struct record r;

	add(RECORD_MESSAGE, 1, SPAN("payload"));
	other.nonce[15] ^= 1;
	ck_assert_int_eq(record_get(buf_span(&b), &other, &r), -1);
	other = seal;
	other.key[31] ^= 1;
	ck_assert_int_eq(record_get(buf_span(&b), &other, &r), -1);
	ck_assert_int_eq(record_get(buf_span(&b), &seal, &r), 0);
}
END_TEST

START_TEST(a_record_in_steps_is_the_same)
{
	struct buf whole;
	struct wire_put w;

	buf_init(&whole, 4096);
	ck_assert_int_eq(
	    record_add(&whole, &seal, RECORD_RESULT, 9, SPAN("payload")), 0);
	ck_assert_int_eq(record_open(&b, RECORD_RESULT, 500, &w), 0);
	ck_assert_uint_eq(b.n, 0);
	wire_put_bytes(&w, "payload", 7);
	ck_assert_int_eq(record_close(&b, &w), 0);
	record_finish(b.p, &seal, 9);
	ck_assert(span_eq(buf_span(&b), buf_span(&whole)));
	/* What did not fit is not there at all. */
	ck_assert_int_eq(record_open(&b, RECORD_RESULT, 3, &w), 0);
	wire_put_bytes(&w, "payload", 7);
	ck_assert_int_eq(record_close(&b, &w), -1);
	ck_assert(span_eq(buf_span(&b), buf_span(&whole)));
	buf_fini(&whole);
}
END_TEST

/* ---- payloads ------------------------------------------------------------------- */

static char bytes[8192];

static struct span
put_message(uint32_t nrcpts, struct record_rcpt *rcpts)
{
	const struct record_message m = {
		.id = 0x1234,
		.parent = 0x1200,
		.content = 0x1233,
		.size = 99,
		.flags = MESSAGE_BOUNCE | MESSAGE_COPY,
		.body = BODY_8BITMIME,
		.sender = SPAN("a@example.org"),
		.client = SPAN("192.0.2.1"),
		.prefix = SPAN("Received: x\r\n"),
		.nrcpts = nrcpts,
	};
	struct wire_put w = wire_writer(bytes, sizeof bytes);

	record_message_put(&w, &m, rcpts);
	ck_assert(!w.bad);
	ck_assert_uint_le(w.n, record_message_max(&m, rcpts));
	return span_from(bytes, w.n);
}

static void
make_rcpts(struct record_rcpt r[2])
{
	r[0] = (struct record_rcpt){
		.index = 0,
		.address = SPAN("b@example.net"),
		.host = SPAN(""),
	};
	r[1] = (struct record_rcpt){
		.index = 1,
		.address = SPAN("\"c d\"@example.net"),
		.state = RCPT_FAILED,
		.attempts = 3,
		.next = 1700000000,
		.time = -1,
		.reply = { .code = 550, .esc = { 5, 1, 1 }, .text = "no" },
		.host = SPAN("mx [192.0.2.2]"),
	};
}

static void
check_row(const struct record_rcpt *have, const struct record_rcpt *want,
    bool address)
{
	ck_assert_uint_eq(have->index, want->index);
	if (address)
		ck_assert(span_eq(have->address, want->address));
	ck_assert_int_eq(have->state, want->state);
	ck_assert_uint_eq(have->attempts, want->attempts);
	ck_assert_int_eq(have->next, want->next);
	ck_assert_int_eq(have->time, want->time);
	ck_assert_uint_eq(have->reply.code, want->reply.code);
	ck_assert_str_eq(have->reply.text, want->reply.text);
	ck_assert(span_eq(have->host, want->host));
}

START_TEST(a_message_comes_back)
{
	struct record_rcpt r[2], row;
	struct record_message m;
	struct span s;

	make_rcpts(r);
	s = put_message(2, r);
	ck_assert_int_eq(record_message_get(s, &m), 0);
	ck_assert_uint_eq(m.id, 0x1234);
	ck_assert_uint_eq(m.parent, 0x1200);
	ck_assert_uint_eq(m.content, 0x1233);
	ck_assert_uint_eq(m.size, 99);
	ck_assert_uint_eq(m.flags, MESSAGE_BOUNCE | MESSAGE_COPY);
	ck_assert_int_eq(m.body, BODY_8BITMIME);
	ck_assert(span_eq(m.sender, SPAN("a@example.org")));
	ck_assert(span_eq(m.client, SPAN("192.0.2.1")));
	ck_assert(span_eq(m.prefix, SPAN("Received: x\r\n")));
	for (int i = 0; i < 2; i++) {
		ck_assert(record_rcpt_next(&m.rcpts, true, &row));
		check_row(&row, &r[i], true);
	}
	ck_assert(!record_rcpt_next(&m.rcpts, true, &row));
	for (size_t n = 0; n < s.n; n++)
		ck_assert_int_eq(record_message_get(span_from(s.p, n), &m), -1);
	ck_assert_int_eq(record_message_get(span_from(s.p, s.n + 1), &m), -1);
}
END_TEST

START_TEST(a_result_comes_back)
{
	struct wire_put w = wire_writer(bytes, sizeof bytes);
	struct record_rcpt r[2], row;
	struct record_result get;
	struct span s;

	make_rcpts(r);
	r[0].index = 5;
	record_result_put(&w, 77, r, 2);
	ck_assert(!w.bad);
	ck_assert_uint_le(w.n, record_result_max(r, 2));
	s = span_from(bytes, w.n);
	ck_assert_int_eq(record_result_get(s, &get), 0);
	ck_assert_uint_eq(get.id, 77);
	ck_assert_uint_eq(get.nrcpts, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert(record_rcpt_next(&get.rcpts, false, &row));
		check_row(&row, &r[i], false);
	}
	for (size_t n = 0; n < s.n; n++)
		ck_assert_int_eq(
		    record_result_get(span_from(s.p, n), &get), -1);
	ck_assert_int_eq(record_result_get(span_from(s.p, s.n + 1), &get), -1);
}
END_TEST

START_TEST(an_order_comes_back)
{
	const uint32_t indexes[] = { 0, 7, 100000 };
	const struct record_order o = {
		.id = 77, .time = 1600000000, .reason = SPAN("why"), .nrcpts = 3
	};
	char text[256];
	struct wire_put w = wire_writer(text, record_order_max(&o));
	struct record_order back;
	uint32_t index, n = 0;

	record_order_put(&w, &o, indexes);
	ck_assert(!w.bad);
	for (size_t cut = 0; cut < w.n; cut++)
		ck_assert_int_eq(
		    record_order_get(span_from(text, cut), &back), -1);
	text[w.n] = 0;
	ck_assert_int_eq(record_order_get(span_from(text, w.n + 1), &back), -1);
	ck_assert_int_eq(record_order_get(span_from(text, w.n), &back), 0);
	ck_assert_uint_eq(back.id, 77);
	ck_assert_int_eq(back.time, 1600000000);
	ck_assert(span_is(back.reason, "why"));
	while (record_order_next(&back.rcpts, &index))
		ck_assert_uint_eq(index, indexes[n++]);
	ck_assert_uint_eq(n, 3);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	struct record_rcpt r[2];
	struct record_message m;
	struct record_result res;
	struct wire_put w;
	struct span s;

	make_rcpts(r);
	ck_assert_int_eq(record_message_get(put_message(0, r), &m), -1);
	r[1].state = RCPT_STATE_END;
	ck_assert_int_eq(record_message_get(put_message(2, r), &m), -1);
	r[1].state = RCPT_WAITING;
	s = put_message(2, r);
	bytes[32] = 32; /* a flag that is none */
	ck_assert_int_eq(record_message_get(s, &m), -1);
	s = put_message(2, r);
	memset(bytes, 0, 8); /* no id */
	ck_assert_int_eq(record_message_get(s, &m), -1);
	w = wire_writer(bytes, sizeof bytes);
	record_result_put(&w, 1, r, 0);
	ck_assert_int_eq(record_result_get(span_from(bytes, w.n), &res), -1);
}
END_TEST

START_TEST(small_payloads_come_back)
{
	const struct record_batch batch = { 3, 0x123456789, 4096 };
	const struct record_abandon abandon = { 12, 34 };
	struct record_content file = { .number = 5, .size = 6 }, content;
	struct record_abandon a;
	struct record_batch got;
	struct record rec;
	struct wire_put w;

	w = wire_writer(bytes, sizeof bytes);
	record_batch_put(&w, &batch);
	ck_assert_uint_eq(w.n, RECORD_BATCH_PAYLOAD);
	ck_assert_uint_eq(record_size(w.n), RECORD_BATCH_SIZE);
	for (size_t n = 0; n <= w.n + 1; n++)
		ck_assert_int_eq(record_batch_get(span_from(bytes, n), &got),
		    n == w.n ? 0 : -1);
	ck_assert_int_eq(record_batch_get(span_from(bytes, w.n), &got), 0);
	ck_assert_uint_eq(got.count, batch.count);
	ck_assert_uint_eq(got.bytes, batch.bytes);
	ck_assert_uint_eq(got.durable, batch.durable);

	w = wire_writer(bytes, sizeof bytes);
	record_abandon_put(&w, &abandon);
	ck_assert_uint_eq(w.n, RECORD_ABANDON_PAYLOAD);
	for (size_t n = 0; n <= w.n + 1; n++)
		ck_assert_int_eq(record_abandon_get(span_from(bytes, n), &a),
		    n == w.n ? 0 : -1);
	ck_assert_int_eq(record_abandon_get(span_from(bytes, w.n), &a), 0);
	ck_assert_uint_eq(a.segment, abandon.segment);
	ck_assert_uint_eq(a.offset, abandon.offset);

	memset(file.hash, 0x5a, sizeof file.hash);
	w = wire_writer(bytes, sizeof bytes);
	record_content_put(&w, RECORD_CONTENT_FILE, &file);
	ck_assert_uint_eq(w.n, RECORD_CONTENT_FILE_PAYLOAD);
	rec.type = RECORD_CONTENT_FILE;
	for (size_t n = 0; n <= w.n + 1; n++) {
		rec.payload = span_from(bytes, n);
		ck_assert_int_eq(
		    record_content_get(&rec, &content), n == w.n ? 0 : -1);
	}
	rec.payload = span_from(bytes, w.n);
	ck_assert_int_eq(record_content_get(&rec, &content), 0);
	ck_assert_uint_eq(content.number, 5);
	ck_assert_uint_eq(content.size, 6);
	ck_assert_mem_eq(content.hash, file.hash, sizeof file.hash);

	w = wire_writer(bytes, sizeof bytes);
	file.octets = SPAN("hello");
	record_content_put(&w, RECORD_CONTENT, &file);
	rec.type = RECORD_CONTENT;
	rec.payload = span_from(bytes, w.n);
	ck_assert_int_eq(record_content_get(&rec, &content), 0);
	ck_assert_uint_eq(content.size, 5);
	ck_assert(span_eq(content.octets, SPAN("hello")));
	rec.payload.n = 7;
	ck_assert_int_eq(record_content_get(&rec, &content), -1);
}
END_TEST

/* ---- segments ------------------------------------------------------------------- */

START_TEST(the_ends_of_a_segment_come_back)
{
	static char end[SEGMENT_HEADER];
	struct segment s = { .number = 42, .size = 1 << 20 }, got;
	uint64_t offset;

	s.seal = seal;
	segment_header_put(end, &s, 1234567);
	got = (struct segment){ .number = 0 };
	memcpy(got.seal.key, seal.key, RECORD_KEY);
	ck_assert_int_eq(segment_header_get(end, &got), 0);
	ck_assert_uint_eq(got.number, 42);
	ck_assert_uint_eq(got.size, 1 << 20);
	ck_assert_mem_eq(got.seal.nonce, seal.nonce, RECORD_NONCE);
	for (size_t i = 0; i < 88; i++) {
		end[i] ^= 1;
		ck_assert_int_eq(segment_header_get(end, &got), -1);
		end[i] ^= 1;
	}
	segment_trailer_put(end, &s, 4711);
	ck_assert_int_eq(segment_trailer_get(end, &got, &offset), 0);
	ck_assert_uint_eq(offset, 4711);
	ck_assert_uint_eq(got.number, 42);
	for (size_t i = 0; i < 72; i++) {
		end[i] ^= 1;
		ck_assert_int_eq(segment_trailer_get(end, &got, &offset), -1);
		end[i] ^= 1;
	}
}
END_TEST

START_TEST(names_are_parsed_strictly)
{
	static const struct {
		const char *name;
		bool ok;
	} names[] = {
		{ "00000000000000ff.seg", true },
		{ "00000000000000ff.spare", true },
		{ "00000000000000FF.seg", false },
		{ "0000000000000000.seg", false },
		{ "00000000000000ff", false },
		{ "00000000000000ff.", false },
		{ "00000000000000ff.segx", false },
		{ "0000000000000ff.seg", false },
		{ ".", false },
		{ "lost+found", false },
	};
	char name[SEGMENT_NAME_MAX];
	enum segment_kind kind;
	uint64_t number;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert_int_eq(
		    segment_name_parse(names[i].name, &number, &kind),
		    names[i].ok);
	segment_name(name, 255, SEGMENT_SPARE);
	ck_assert_str_eq(name, "00000000000000ff.spare");
	ck_assert(segment_name_parse(name, &number, &kind));
	ck_assert_uint_eq(number, 255);
	ck_assert_int_eq(kind, SEGMENT_SPARE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("record");
	TCase *tc = tcase_create("record");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_was_added_is_got);
	tcase_add_test(tc, a_truncated_record_is_none);
	tcase_add_test(tc, a_changed_bit_is_found);
	tcase_add_test(tc, another_segment_or_key_makes_it_invalid);
	tcase_add_test(tc, a_record_in_steps_is_the_same);
	tcase_add_test(tc, a_message_comes_back);
	tcase_add_test(tc, a_result_comes_back);
	tcase_add_test(tc, an_order_comes_back);
	tcase_add_test(tc, what_makes_no_sense_is_refused);
	tcase_add_test(tc, small_payloads_come_back);
	tcase_add_test(tc, the_ends_of_a_segment_come_back);
	tcase_add_test(tc, names_are_parsed_strictly);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
