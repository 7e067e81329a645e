/*
 * utf8.c - code points out of octets; what RFC 3629 section 3 forbids is none.
 */
#include "common/bytes/utf8.h"

bool
utf8_beyond_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] & 0x80) != 0)
			return true;
	return false;
}

int32_t
utf8_next(struct span *in)
{
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = in->n > 0 ? (unsigned char)in->p[0] : 0xff;
	size_t n = c < 0x80 ? 1
	    : c < 0xc0	    ? 0
	    : c < 0xe0	    ? 2
	    : c < 0xf0	    ? 3
	    : c < 0xf8	    ? 4
			    : 0;
	int32_t v;

	if (n == 0 || n > in->n)
		return -1;
	v = n == 1 ? c : c & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		c = (unsigned char)in->p[i];
		if ((c & 0xc0) != 0x80)
			return -1;
		v = v << 6 | (c & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return -1;
	*in = span_skip(*in, n);
	return v;
}

bool
utf8_ok(struct span s)
{
	while (s.n > 0) {
		int32_t v = utf8_next(&s);

		if (v == -1 || (v >= 0x80 && v < 0xa0))
			return false;
	}
	return true;
}
