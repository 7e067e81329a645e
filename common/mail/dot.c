/*
 * dot.c - dots put in and taken out, and the one end of data.
 *
 * Both ways are a machine of a few states for what can stand at the edges of a
 * line, and a copy of eight octets at a time for what lies between.  RFC 5321
 * section 4.5.2 is about lines that end in CRLF; anything else that looks like
 * the end of a line is an octet like any other to the machine, so that no
 * sequence but CRLF.CRLF ever ends the data.
 */
#include "common/mail/dot.h"

enum dot_state {
	AT_START, /* behind CRLF, or before the first octet */
	IN_LINE,
	BEHIND_CR,    /* the CR is not written yet */
	BEHIND_DOT,   /* CRLF "."; the dot is not written */
	BEHIND_DOT_CR /* CRLF "." CR; neither is written */
};

#define EACH(octet) (0x0101010101010101u * (octet))

/*
 * Octets up to the next CR, LF or NUL, copied; how many.  *all gets every bit
 * that was set in any of them.
 */
static size_t
copy_plain(char *out, const char *p, size_t n, uint64_t *all)
{
	size_t i = 0;
	uint64_t v;

	while (i < n) {
		if (n - i >= sizeof v) {
			memcpy(&v, p + i, sizeof v);
			/* Not zero if any octet is below 14, as those are. */
			if (((v - EACH(14)) & ~v & EACH(0x80)) == 0) {
				memcpy(out + i, &v, sizeof v);
				*all |= v;
				i += sizeof v;
				continue;
			}
		}
		if (p[i] == '\r' || p[i] == '\n' || p[i] == '\0')
			break;
		*all |= (unsigned char)p[i];
		out[i] = p[i];
		i++;
	}
	return i;
}

void
dot_init(struct dot_reader *r, enum dot_mode mode)
{
	*r = (struct dot_reader){ .mode = mode, .state = AT_START };
}

/* A CR or LF that is none of a CRLF. */
static size_t
bare(struct dot_reader *r, char c, char *out)
{
	r->bare = true;
	if (r->mode == DOT_CONVERT) {
		memcpy(out, "\r\n", 2);
		return 2;
	}
	*out = c;
	return 1;
}

/* An octet that follows no CR that still waits for its LF. */
static size_t
octet(struct dot_reader *r, char c, char *out)
{
	r->state = IN_LINE;
	switch (c) {
	case '\r':
		r->state = BEHIND_CR;
		return 0;
	case '\n':
		return bare(r, c, out);
	case '\0':
		r->nul = true;
		if (r->mode == DOT_CONVERT)
			return 0;
		break;
	default:
		r->eight_bit |= (c & 0x80) != 0;
	}
	*out = c;
	return 1;
}

static size_t
step(struct dot_reader *r, char c, char *out, bool *ended)
{
	size_t n = 0;

	switch ((enum dot_state)r->state) {
	case AT_START:
		if (c != '.')
			return octet(r, c, out);
		r->state = BEHIND_DOT;
		return 0;
	case BEHIND_DOT:
		if (c != '\r')
			return octet(r, c, out);
		r->state = BEHIND_DOT_CR;
		return 0;
	case BEHIND_DOT_CR:
		if (c == '\n') {
			*ended = true;
			return 0;
		}
		n = bare(r, '\r', out);
		break;
	case BEHIND_CR:
		if (c == '\n') {
			memcpy(out, "\r\n", 2);
			r->state = AT_START;
			return 2;
		}
		n = bare(r, '\r', out);
		break;
	case IN_LINE:
		break;
	}
	return n + octet(r, c, out + n);
}

/* CRLF, and behind it an octet that has no need of AT_START: written. */
static bool
at_plain_crlf(const char *p, const char *end, char *out)
{
	if (end - p < 3 || p[0] != '\r' || p[1] != '\n' || p[2] == '.')
		return false;
	memcpy(out, "\r\n", 2);
	return true;
}

bool
dot_read(struct dot_reader *r, struct span *in, char *out, size_t *nout)
{
	const char *p = in->p, *end = in->n > 0 ? p + in->n : p;
	uint64_t all = 0;
	bool ended = false;
	size_t n = 0, k;

	while (p != end && !ended) {
		if (r->state == IN_LINE) {
			k = copy_plain(out + n, p, (size_t)(end - p), &all);
			p += k;
			n += k;
			if (p == end)
				break;
			if (at_plain_crlf(p, end, out + n)) {
				p += 2;
				n += 2;
				continue;
			}
		}
		n += step(r, *p++, out + n, &ended);
	}
	r->eight_bit |= (all & EACH(0x80)) != 0;
	*in = span_from(p, (size_t)(end - p));
	*nout = n;
	return ended;
}

size_t
dot_chunk(struct dot_reader *r, struct span in, bool last, char *out)
{
	uint64_t all = 0;
	size_t n = 0;

	if (r->mode == DOT_BINARY) {
		if (in.n > 0)
			memcpy(out, in.p, in.n);
		return in.n;
	}
	if (r->state == AT_START)
		r->state = IN_LINE;
	while (in.n > 0) {
		size_t k = 0;

		if (r->state == IN_LINE)
			k = copy_plain(out + n, in.p, in.n, &all);
		n += k;
		in = span_skip(in, k);
		if (in.n == 0)
			break;
		n += step(r, in.p[0], out + n, &(bool){ false });
		if (r->state == AT_START)
			r->state = IN_LINE;
		in = span_skip(in, 1);
	}
	if (last && r->state == BEHIND_CR)
		n += bare(r, '\r', out + n);
	r->eight_bit |= (all & EACH(0x80)) != 0;
	return n;
}

void
dot_writer_init(struct dot_writer *w)
{
	w->state = AT_START;
}

/* Here a bare CR or LF has become a line end, and a dot behind it counts. */
static size_t
write_octet(struct dot_writer *w, char c, char *out)
{
	size_t n = 0;

	if (w->state == BEHIND_CR) {
		memcpy(out, "\r\n", 2);
		n = 2;
		w->state = AT_START;
		if (c == '\n')
			return n;
	}
	if (c == '\r') {
		w->state = BEHIND_CR;
		return n;
	}
	if (c == '\n') {
		memcpy(out + n, "\r\n", 2);
		w->state = AT_START;
		return n + 2;
	}
	if (w->state == AT_START && c == '.')
		out[n++] = '.';
	w->state = IN_LINE;
	out[n++] = c;
	return n;
}

size_t
dot_write(struct dot_writer *w, struct span in, char *out)
{
	const char *p = in.p, *end = in.n > 0 ? p + in.n : p;
	uint64_t all = 0;
	size_t n = 0, k;

	while (p != end) {
		if (w->state == IN_LINE) {
			k = copy_plain(out + n, p, (size_t)(end - p), &all);
			p += k;
			n += k;
			if (p == end)
				break;
			if (at_plain_crlf(p, end, out + n)) {
				p += 2;
				n += 2;
				continue;
			}
		}
		n += write_octet(w, *p++, out + n);
	}
	return n;
}

size_t
dot_write_end(struct dot_writer *w, char out[DOT_END_MAX])
{
	size_t n = 0;

	if (w->state != AT_START) {
		memcpy(out, "\r\n", 2);
		n = 2;
	}
	memcpy(out + n, ".\r\n", 3);
	dot_writer_init(w);
	return n + 3;
}
