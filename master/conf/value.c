/*
 * value.c - see value.h.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/mail/address.h"
#include "common/mail/netblock.h"
#include "master/conf/value.h"

struct unit {
	enum value_unit kind;
	char letter;
	uint64_t factor;
};

/* For each kind the largest first. */
static const struct unit units[] = {
	{ VALUE_SIZE, 'G', 1024 * 1024 * 1024 },
	{ VALUE_SIZE, 'M', 1024 * 1024 },
	{ VALUE_SIZE, 'K', 1024 },
	{ VALUE_TIME, 'd', 24 * 60 * 60 },
	{ VALUE_TIME, 'h', 60 * 60 },
	{ VALUE_TIME, 'm', 60 },
	{ VALUE_TIME, 's', 1 },
};
#define NUNITS (sizeof units / sizeof units[0])

bool
value_number(struct span s, enum value_unit kind, uint64_t *out)
{
	uint64_t factor = 1, n;

	for (size_t i = 0; i < NUNITS && s.n > 0; i++) {
		if (units[i].kind != kind || s.p[s.n - 1] != units[i].letter)
			continue;
		factor = units[i].factor;
		s.n--;
		break;
	}
	if (!span_number(s, UINT64_MAX / factor, &n))
		return false;
	*out = n * factor;
	return true;
}

void
value_format(char dst[VALUE_TEXT_MAX], uint64_t n, enum value_unit kind)
{
	for (size_t i = 0; i < NUNITS && n > 0; i++) {
		if (units[i].kind != kind || n % units[i].factor != 0)
			continue;
		snprintf(dst, VALUE_TEXT_MAX, "%" PRIu64 "%c",
		    n / units[i].factor, units[i].letter);
		return;
	}
	snprintf(dst, VALUE_TEXT_MAX, "%" PRIu64, n);
}

/* An address in its canonical form, or a domain name in lower case. */
static bool
host_name(struct span s, bool bracketed, char *host, size_t size)
{
	char text[IP_TEXT_MAX];
	struct ip ip;

	if (ip_parse(&ip, s)) {
		/* An IPv6 address without brackets would hide its port. */
		if (ip_is_v4(&ip) == bracketed)
			return false;
		ip_format(text, &ip);
		return span_copy(host, size, span_of(text));
	}
	if (bracketed || !address_domain_ok(s) || s.p[0] == '[' ||
	    !span_copy(host, size, s))
		return false;
	for (char *p = host; *p != '\0'; p++)
		*p = ascii_lower(*p);
	return true;
}

bool
value_endpoint(struct span s, char *host, size_t size, uint16_t *port)
{
	bool bracketed = s.n > 0 && s.p[0] == '[';
	struct span name;
	uint64_t n;

	if (bracketed) {
		s = span_skip(s, 1);
		if (memchr(s.p, ']', s.n) == NULL)
			return false;
		name = span_cut(&s, ']');
		if (s.n > 0 && s.p[0] != ':')
			return false;
		/* `]` alone, or `]:PORT` */
		if (s.n == 0)
			return *port != 0 && host_name(name, true, host, size);
		s = span_skip(s, 1);
	} else {
		bool has_port = memchr(s.p, ':', s.n) != NULL;

		name = span_cut(&s, ':');
		if (!has_port)
			return *port != 0 && host_name(name, false, host, size);
	}
	if (!span_number(s, UINT16_MAX, &n))
		return false;
	*port = (uint16_t)n;
	return host_name(name, bracketed, host, size);
}

bool
value_user(struct span s)
{
	if (s.n == 0 || s.p[0] == '-' || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '_' && c != '-' && c != '.')
			return false;
	}
	return true;
}
