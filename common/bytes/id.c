/*
 * id.c - queue ids: made, written, read.
 */
#include "common/bytes/id.h"

/* 12 bits for ids of one microsecond leave 52 for the time: until 2112. */
#define ID_TIME_SHIFT 12
#define ID_TIME_MAX   (UINT64_MAX >> ID_TIME_SHIFT)

void
id_format(char dst[ID_LEN + 1], uint64_t id)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = ID_LEN; i-- > 0; id >>= 4)
		dst[i] = digits[id & 15];
	dst[ID_LEN] = '\0';
}

/* Lower case only: one id has one spelling, in files as in the log. */
static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
id_parse(struct span s, uint64_t *id)
{
	uint64_t v = 0;

	if (s.n != ID_LEN)
		return false;
	for (size_t i = 0; i < ID_LEN; i++) {
		int d = digit_value(s.p[i]);

		if (d == -1)
			return false;
		v = v << 4 | (uint64_t)d;
	}
	if (v == 0)
		return false;
	*id = v;
	return true;
}

uint64_t
id_next(uint64_t last, uint64_t now_us)
{
	uint64_t id = (now_us < ID_TIME_MAX ? now_us : ID_TIME_MAX)
	    << ID_TIME_SHIFT;

	/* The clock may stand still or step back; ids never do. */
	return id > last ? id : last + 1;
}

uint64_t
id_time(uint64_t id)
{
	return id >> ID_TIME_SHIFT;
}
