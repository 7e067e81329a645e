/*
 * test_content.c - line ends, prefixes, and content from memory or a file.
 */
#include <sys/mman.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/local/content.h"
#include "deliver/local/lf.h"

static const struct {
	const char *in, *out;
} rows[] = {
	{ "", "" },
	{ "a", "a" },
	{ "\r\n", "\n" },
	{ "a\r\nb\r\n", "a\nb\n" },
	{ "a\r\n\r\n.\r\n", "a\n\n.\n" },
	/* No accepted message has these; nothing is lost of them. */
	{ "a\nb", "a\nb" },
	{ "a\rb", "a\rb" },
	{ "a\r\r\nb", "a\r\nb" },
	{ "a\r", "a\r" },
	{ "\r\r\r", "\r\r\r" },
	{ "\n\r\n\r", "\n\n\r" },
};
#define NROWS (sizeof rows / sizeof *rows)

START_TEST(line_ends_whole_and_in_two_pieces)
{
	unsigned n = 0;

	for (size_t i = 0; i < NROWS; i++) {
		struct span in = span_of(rows[i].in);

		for (size_t cut = 0; cut <= in.n; cut++, n++) {
			struct lf lf = { 0 };
			char out[64];
			size_t k = lf_convert(&lf, span_from(in.p, cut), out);

			ck_assert_uint_le(k, cut + 1);
			k += lf_convert(&lf, span_skip(in, cut), out + k);
			k += lf_end(&lf, out + k);
			ck_assert_uint_eq(k, strlen(rows[i].out));
			ck_assert_int_eq(memcmp(out, rows[i].out, k), 0);
		}
	}
	ck_assert_uint_gt(n, NROWS);
}
END_TEST

START_TEST(line_ends_byte_by_byte)
{
	for (size_t i = 0; i < NROWS; i++) {
		struct span in = span_of(rows[i].in);
		struct lf lf = { 0 };
		char out[64];
		size_t k = 0;

		for (size_t at = 0; at < in.n; at++)
			k += lf_convert(&lf, span_from(in.p + at, 1), out + k);
		k += lf_end(&lf, out + k);
		ck_assert_uint_eq(k, strlen(rows[i].out));
		ck_assert_int_eq(memcmp(out, rows[i].out, k), 0);
	}
}
END_TEST

static int
file_of(const char *p, size_t n)
{
	int fd = memfd_create("test", 0);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	return fd;
}

/* Sizes around the block, with a CR LF across its end. */
START_TEST(from_memory_as_from_a_file)
{
	static const size_t sizes[] = { 0, 1, CONTENT_BLOCK - 1, CONTENT_BLOCK,
		CONTENT_BLOCK + 1, 3 * CONTENT_BLOCK + 7 };
	unsigned n = 0;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size = sizes[i], want = 3;
		char *in = malloc(size + 1), *out = malloc(size + 8);

		for (size_t k = 0; k < size; k++)
			in[k] = k % 2 == (CONTENT_BLOCK - 1) % 2 ? '\r' : '\n';
		for (size_t k = 0; k < size; k++)
			want += in[k] == '\n' || k + 1 == size;
		for (int file = 0; file < 2; file++, n++) {
			struct content c = { span_from(in, size), -1, size,
				false, 0 };
			int to = memfd_create("out", 0);

			if (file)
				c = (struct content){ SPAN(""),
					file_of(in, size), size, false, 0 };
			ck_assert_int_eq(
			    content_write(&c, SPAN("P:\n"), to), 0);
			ck_assert_int_eq(
			    pread(to, out, size + 8, 0), (ssize_t)want);
			ck_assert_int_eq(memcmp(out, "P:\n", 3), 0);
			for (size_t k = 3; k + 1 < want; k++)
				ck_assert_int_eq(out[k], '\n');
			close(to);
			if (file)
				close(c.fd);
		}
		free(in);
		free(out);
	}
	ck_assert_uint_eq(n, 2 * sizeof sizes / sizeof *sizes);
}
END_TEST

/* RFC 3030: what is no text keeps its octets, CRLF and all. */
START_TEST(binary_content_stays_behind_its_header)
{
	static const char in[] = "A: b\r\n\r\nc\r\n\r\r\n\0\n\r";
	static const char want[] = "P:\nA: b\n\nc\r\n\r\r\n\0\n\r";
	char out[64];

	for (int file = 0; file < 2; file++) {
		struct content c = { .inlined = span_from(in, sizeof in - 1),
			.fd = file ? file_of(in, sizeof in - 1) : -1,
			.size = sizeof in - 1,
			.binary = true,
			.header = 8 };
		int to = memfd_create("out", 0);

		ck_assert_int_eq(content_write(&c, SPAN("P:\n"), to), 0);
		ck_assert_int_eq(
		    pread(to, out, sizeof out, 0), sizeof want - 1);
		ck_assert_mem_eq(out, want, sizeof want - 1);
		close(to);
		if (file)
			close(c.fd);
	}
}
END_TEST

START_TEST(a_file_that_is_too_short_is_an_error)
{
	struct content c = { SPAN(""), file_of("abc", 3), 4, false, 0 };
	int to = memfd_create("out", 0);
	struct span head;
	struct buf space;

	buf_init(&space, CONTENT_HEADER_MAX);
	ck_assert_int_eq(content_write(&c, SPAN(""), to), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(content_head(&c, &space, &head), -1);
	ck_assert_int_eq(errno, EIO);
	c.size = 3;
	ck_assert_int_eq(content_head(&c, &space, &head), 0);
	ck_assert(span_eq(head, SPAN("abc")));
	buf_fini(&space);
	close(to);
	close(c.fd);
}
END_TEST

START_TEST(the_head_is_bounded)
{
	size_t n = CONTENT_HEADER_MAX + 1;
	char *p = calloc(1, n);
	struct content c = { span_from(p, n), -1, n, false, 0 };
	struct span head;
	struct buf space;

	buf_init(&space, CONTENT_HEADER_MAX);
	ck_assert_int_eq(content_head(&c, &space, &head), 0);
	ck_assert_uint_eq(head.n, CONTENT_HEADER_MAX);
	c = (struct content){ SPAN(""), file_of(p, n), n, false, 0 };
	ck_assert_int_eq(content_head(&c, &space, &head), 0);
	ck_assert_uint_eq(head.n, CONTENT_HEADER_MAX);
	buf_fini(&space);
	close(c.fd);
	free(p);
}
END_TEST

START_TEST(what_stands_above)
{
	struct buf b;

	buf_init(&b, 4096);
	ck_assert_int_eq(content_prefix(&b, SPAN("a@b.example"),
			     SPAN("c@d.example"), SPAN("R: x\r\n\ty\r\n")),
	    0);
	ck_assert(span_eq(buf_span(&b),
	    SPAN("Return-Path: <a@b.example>\n"
		 "Delivered-To: c@d.example\nR: x\n\ty\n")));
	buf_clear(&b);
	ck_assert_int_eq(
	    content_prefix(&b, SPAN(""), SPAN("c@d.example"), SPAN("")), 0);
	ck_assert(span_eq(buf_span(&b),
	    SPAN("Return-Path: <>\nDelivered-To: c@d.example\n")));
	buf_fini(&b);
	buf_init(&b, 40);
	ck_assert_int_eq(content_prefix(&b, SPAN("a@b.example"),
			     SPAN("c@d.example"), SPAN("")),
	    -1);
	ck_assert_int_eq(errno, ENOBUFS);
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("content");
	TCase *t = tcase_create("content");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, line_ends_whole_and_in_two_pieces);
	tcase_add_test(t, line_ends_byte_by_byte);
	tcase_add_test(t, from_memory_as_from_a_file);
	tcase_add_test(t, binary_content_stays_behind_its_header);
	tcase_add_test(t, a_file_that_is_too_short_is_an_error);
	tcase_add_test(t, the_head_is_bounded);
	tcase_add_test(t, what_stands_above);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
