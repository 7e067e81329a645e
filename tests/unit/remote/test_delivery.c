/*
 * test_delivery.c - a hand-out: its copies, its results, its content in blocks.
 */
#include <sys/mman.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/remote/delivery.h"

static char packet[64];

/* As it comes from a packet that is gone soon. */
static struct delivery *
make(uint32_t nrcpts, struct ipc_msg *m)
{
	struct msg_deliver d = {
		.handout = { 1, 2 },
		.nrcpts = nrcpts,
		.inlined = m->fd == -1,
	};
	struct delivery *v;

	strcpy(packet, "sender@aHead\r\ncontent");
	d.sender = span_from(packet, 8);
	d.prefix = span_from(packet + 8, 6);
	d.content = d.inlined ? span_from(packet + 14, 7) : SPAN("");
	d.size = 7;
	for (uint32_t i = 0; i < nrcpts; i++)
		d.rcpts[i].address = span_from(packet, 8);
	v = delivery_new(&d, m, 0);
	memset(packet, '!', sizeof packet);
	ck_assert_ptr_nonnull(v);
	return v;
}

START_TEST(nothing_points_into_the_packet)
{
	struct ipc_msg m = { .fd = -1 };
	struct delivery *v = make(2, &m);

	ck_assert(span_is(v->d.sender, "sender@a"));
	ck_assert(span_is(v->d.prefix, "Head\r\n"));
	ck_assert(span_is(v->d.content, "content"));
	ck_assert(span_is(v->d.rcpts[1].address, "sender@a"));
	delivery_free(v);
}
END_TEST

static int
content_file(void)
{
	int fd = memfd_create("content", 0);

	ck_assert_int_eq(write(fd, "content", 7), 7);
	return fd;
}

/* Blocks of every size, from the packet and from a descriptor. */
START_TEST(blocks_of_every_size_make_the_whole)
{
	static const char whole[] = "Head\r\ncontent";

	for (size_t size = 1; size <= sizeof whole + 1; size++) {
		struct ipc_msg m = { .fd = _i == 0 ? -1 : content_file() };
		struct delivery *v = make(1, &m);
		char got[64], block[32];
		size_t n = 0;
		ssize_t k;

		ck_assert_int_eq(m.fd, -1);
		while ((k = delivery_read(v, block, size, n)) > 0) {
			ck_assert_uint_le((size_t)k, size);
			memcpy(got + n, block, (size_t)k);
			n += (size_t)k;
		}
		ck_assert_int_eq(k, 0);
		ck_assert_uint_eq(n, sizeof whole - 1);
		ck_assert_int_eq(memcmp(got, whole, n), 0);
		delivery_free(v);
	}
}
END_TEST

START_TEST(content_that_is_too_short_is_an_error)
{
	struct ipc_msg m = { .fd = content_file() };
	struct delivery *v = make(1, &m);
	char block[32];

	ck_assert_int_eq(ftruncate(v->fd, 3), 0);
	ck_assert_int_eq(delivery_read(v, block, 32, 0), 9);
	ck_assert_int_eq(delivery_read(v, block, 32, 9), -1);
	ck_assert_int_eq(errno, EIO);
	delivery_free(v);
}
END_TEST

START_TEST(the_descriptor_goes_with_it)
{
	struct ipc_msg m = { .fd = content_file() };
	struct delivery *v = make(1, &m);
	int fd = v->fd;

	delivery_free(v);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(equal_replies_come_together)
{
	struct ipc_msg m = { .fd = -1 };
	struct delivery *v = make(DELIVER_RCPTS_MAX, &m);
	struct reply ok, no;

	reply_make(&ok, R_DONE, NULL);
	reply_make(&no, R_NO_SUCH_USER, NULL);
	for (uint8_t i = 0; i < 10; i++)
		delivery_result(v, &i, 1, i % 2 == 0 ? &ok : &no, "h");
	ck_assert_uint_eq(v->noutcomes, 2);
	ck_assert_uint_eq(v->outcomes[0].n, 5);
	ck_assert_uint_eq(v->outcomes[1].rcpts[4], 9);
	/* another host is another outcome */
	delivery_result(v, (uint8_t[]){ 10, 11 }, 2, &ok, "other");
	ck_assert_uint_eq(v->noutcomes, 3);
	ck_assert(!delivery_complete(v));
	delivery_result_rest(v, &no, "h");
	ck_assert_uint_eq(v->outcomes[1].n, 5 + DELIVER_RCPTS_MAX - 12);
	ck_assert(delivery_complete(v));
	delivery_free(v);
}
END_TEST

START_TEST(the_first_result_stands)
{
	struct ipc_msg m = { .fd = -1 };
	struct delivery *v = make(2, &m);
	struct reply ok, no;

	reply_make(&ok, R_DONE, NULL);
	reply_make(&no, R_NO_SUCH_USER, NULL);
	delivery_result(v, (uint8_t[]){ 0, 0, 2, 255 }, 4, &ok, "h");
	ck_assert_uint_eq(v->ndone, 1);
	delivery_result_rest(v, &no, "h");
	ck_assert_uint_eq(v->noutcomes, 2);
	ck_assert_uint_eq(v->outcomes[0].n, 1);
	ck_assert_uint_eq(v->outcomes[1].n, 1);
	ck_assert_uint_eq(v->outcomes[1].rcpts[0], 1);
	delivery_free(v);
}
END_TEST

/* There is room for as many outcomes as recipients, and never more. */
START_TEST(every_recipient_may_have_another_reply)
{
	struct ipc_msg m = { .fd = -1 };
	struct delivery *v = make(DELIVER_RCPTS_MAX, &m);
	char text[16];
	struct reply r;

	for (uint8_t i = 0; i < DELIVER_RCPTS_MAX; i++) {
		snprintf(text, sizeof text, "reply %u", i);
		reply_make(&r, R_NO_SUCH_DOMAIN, text);
		delivery_result(v, &i, 1, &r, "h");
	}
	ck_assert_uint_eq(v->noutcomes, DELIVER_RCPTS_MAX);
	ck_assert(delivery_complete(v));
	delivery_free(v);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("delivery");
	TCase *t = tcase_create("delivery");
	SRunner *r;
	int failed;

	tcase_add_test(t, nothing_points_into_the_packet);
	tcase_add_loop_test(t, blocks_of_every_size_make_the_whole, 0, 2);
	tcase_add_test(t, content_that_is_too_short_is_an_error);
	tcase_add_test(t, the_descriptor_goes_with_it);
	tcase_add_test(t, equal_replies_come_together);
	tcase_add_test(t, the_first_result_stands);
	tcase_add_test(t, every_recipient_may_have_another_reply);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
