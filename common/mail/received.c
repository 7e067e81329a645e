/*
 * received.c - trace fields and dates, from values alone.
 */
#include <stdio.h>

#include "common/bytes/id.h"
#include "common/mail/address.h"
#include "common/mail/received.h"

#define SECONDS_A_DAY 86400
#define DATE_MAX      253402300799   /* the last second of the year 9999 */
#define ZONE_MAX      (99 * 60 + 59) /* four digits, RFC 5322 section 3.3 */

/*
 * What a stranger said, in printable ASCII without anything that means
 * something between the fields of a trace: a blank, `(`, `)`, `;`, `<`, `>`,
 * `"`, `,` or `\`.  At most `max` octets.
 */
static void
clean(char *dst, size_t max, struct span s)
{
	size_t n = s.n < max ? s.n : max;

	for (size_t i = 0; i < n; i++) {
		char c = s.p[i];
		bool ok =
		    c > ' ' && c <= '~' && strchr("();<>\",\\", c) == NULL;

		dst[i] = ok ? c : '?';
	}
	dst[n] = '\0';
}

/* A recipient may be quoted and then hold nearly anything that is printable. */
static void
clean_address(char *dst, size_t max, struct span s)
{
	size_t n = s.n < max ? s.n : max;

	for (size_t i = 0; i < n; i++)
		dst[i] = s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?';
	dst[n] = '\0';
}

/* TCP-info of RFC 5321 section 4.4: "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
static void
format_client(char *dst, size_t size, struct span client)
{
	char text[ADDRESS_DOMAIN_MAX + 1];
	const char *tag = "";

	if (span_eq(client, RECEIVED_UNKNOWN)) {
		snprintf(dst, size, "unknown");
		return;
	}
	clean(text, sizeof text - 1, client);
	if (strchr(text, ':') != NULL)
		tag = "IPv6:";
	snprintf(dst, size, "[%s%s]", tag, text);
}

static int
add_from(struct buf *b, const struct received *r)
{
	char helo[ADDRESS_DOMAIN_MAX + 1], client[ADDRESS_DOMAIN_MAX + 16];

	if (r->local)
		return 0;
	clean(helo, sizeof helo - 1, r->helo);
	if (r->client.n == 0)
		return r->helo.n == 0 ? 0 : buf_addf(b, "from %s\r\n\t", helo);
	format_client(client, sizeof client, r->client);
	return buf_addf(
	    b, "from %s (%s)\r\n\t", r->helo.n == 0 ? client : helo, client);
}

static int
add_rest(struct buf *b, const struct received *r)
{
	char by[ADDRESS_DOMAIN_MAX + 1], with[16], date[DATE_LEN + 1];
	char how[64];
	char id[ID_LEN + 1], recipient[ADDRESS_MAX + 1];
	bool one = r->recipient.n > 0;

	clean(by, sizeof by - 1, r->by);
	clean(with, sizeof with - 1, r->with);
	/* Administrators and their tools know this form of local mail. */
	if (r->local)
		snprintf(how, sizeof how, "(Sallyport, from userid %u)\r\n\t",
		    r->uid);
	else
		snprintf(how, sizeof how, "with %s ", with);
	clean_address(recipient, sizeof recipient - 1, r->recipient);
	id_format(id, r->id);
	date_format(date, r->time, r->zone);
	return buf_addf(b, "by %s %sid %s%s%s%s;\r\n\t%s\r\n", by, how, id,
	    one ? "\r\n\tfor <" : "", recipient, one ? ">" : "", date);
}

int
received_add(struct buf *b, const struct received *r)
{
	size_t before = b->n;

	if (buf_add_str(b, "Received: ") == 0 && add_from(b, r) == 0 &&
	    add_rest(b, r) == 0)
		return 0;
	b->n = before;
	return -1;
}

struct date {
	int64_t year;
	int month, day; /* from 1 */
};

/* The civil date of a day counted from 1970-01-01, in years that begin in
 * March, so that the leap day is a year's last. */
static struct date
date_of(int64_t days)
{
	int64_t z = days + 719468; /* from 0000-03-01 */
	int64_t era = z / 146097;  /* 400 years; z is not negative */
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153; /* 0 is March */
	struct date d = { yoe + era * 400, (int)(mp < 10 ? mp + 3 : mp - 9),
		(int)(doy - (153 * mp + 2) / 5 + 1) };

	if (d.month <= 2)
		d.year++;
	return d;
}

static int64_t
within(int64_t v, int64_t min, int64_t max)
{
	return v < min ? min : v > max ? max : v;
}

void
date_format(char dst[DATE_LEN + 1], int64_t time, int zone)
{
	static const char days[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon",
		"Tue", "Wed" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int minutes = (int)within(zone, -ZONE_MAX, ZONE_MAX);
	unsigned east = (unsigned)(minutes < 0 ? -minutes : minutes);
	int64_t local =
	    within(within(time, 0, DATE_MAX) + minutes * 60, 0, DATE_MAX);
	int64_t day = local / SECONDS_A_DAY;
	unsigned second = (unsigned)(local % SECONDS_A_DAY);
	struct date d = date_of(day);

	snprintf(dst, DATE_LEN + 1,
	    "%s, %02u %s %04u %02u:%02u:%02u %c%02u%02u", days[day % 7],
	    (unsigned)d.day % 100, months[d.month - 1],
	    (unsigned)d.year % 10000, second / 3600, second / 60 % 60,
	    second % 60, minutes < 0 ? '-' : '+', east / 60 % 100, east % 60);
}
