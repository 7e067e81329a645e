/*
 * packet.c - DNS messages read; see packet.h.
 */
#include "lookup/dns/packet.h"

#define HEADER	     12
#define RCODE_OK     0
#define RCODE_NXNAME 3
#define LABEL_MAX    63
#define NAME_OCTETS  255 /* RFC 1035 section 2.3.4 */
#define POINTER	     0xc0
/* In one name; more is a loop. */
#define POINTERS_MAX 64

struct cursor {
	const uint8_t *p;
	size_t n; /* of the message */
	size_t at;
	bool bad;
};

static unsigned
get8(struct cursor *c)
{
	if (c->bad || c->at >= c->n) {
		c->bad = true;
		return 0;
	}
	return c->p[c->at++];
}

static unsigned
get16(struct cursor *c)
{
	unsigned high = get8(c);

	return high << 8 | get8(c);
}

static void
skip(struct cursor *c, size_t n)
{
	if (c->bad || n > c->n - c->at)
		c->bad = true;
	else
		c->at += n;
}

/* A label as text: letters, digits, hyphen, and the underscore of careless
 * zones.  A dot or worse within a label is another name in text. */
static bool
add_label(struct cursor *c, unsigned n, char *name, size_t *len)
{
	bool ok = true;

	if (*len + n + 1 > CONF_HOST_MAX)
		ok = false;
	for (unsigned i = 0; i < n; i++) {
		char ch = ascii_lower((char)get8(c));

		if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ||
			ch == '-' || ch == '_'))
			ok = false;
		if (ok)
			name[(*len)++] = ch;
	}
	if (ok)
		name[(*len)++] = '.';
	return ok;
}

/* A name, with compression (RFC 1035 section 4.1.4), as text without the last
 * dot; the cursor goes behind it.  False: it cannot be a host's. */
static bool
get_name(struct cursor *c, char name[CONF_HOST_MAX + 1])
{
	struct cursor here = *c;
	size_t len = 0, octets = 0;
	unsigned pointers = 0, n;
	bool ok = true;

	while ((n = get8(&here)) != 0 && !here.bad) {
		if (n <= LABEL_MAX) {
			octets += n + 1;
			here.bad |= octets > NAME_OCTETS;
			ok = add_label(&here, n, name, &len) && ok;
			continue;
		}
		if (n < POINTER || ++pointers > POINTERS_MAX)
			here.bad = true;
		n = (n & ~(unsigned)POINTER) << 8 | get8(&here);
		if (pointers == 1)
			c->at = here.at;
		here.at = n;
	}
	if (pointers == 0)
		c->at = here.at;
	c->bad |= here.bad;
	name[len > 0 ? len - 1 : 0] = '\0';
	return ok && !c->bad;
}

/* Addresses and names of the type that was asked for; False: not of use. */
static bool
get_data(struct cursor *c, uint16_t type, size_t size, struct packet_record *r)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	size_t end = c->at + size;

	*r = (struct packet_record){ 0 };
	if (type == PACKET_MX) {
		r->preference = (uint16_t)get16(c);
		return get_name(c, r->host) && c->at == end;
	}
	if (type == PACKET_A && size == 4) {
		memcpy(r->ip.b, mapped, sizeof mapped);
		memcpy(r->ip.b + 12, c->p + c->at, 4);
		return true;
	}
	if (type == PACKET_AAAA && size == 16) {
		memcpy(r->ip.b, c->p + c->at, 16);
		return true;
	}
	return false;
}

/* One record of the answer section.  CNAMEs on the way (RFC 1034 section 3.6.2)
 * were followed by libunbound and are passed over. */
static void
get_record(struct cursor *c, uint16_t want, struct packet_records *out)
{
	char owner[CONF_HOST_MAX + 1];
	unsigned type, class, size;
	struct cursor data;

	get_name(c, owner);
	type = get16(c);
	class = get16(c);
	skip(c, 4); /* time to live */
	size = get16(c);
	data = *c;
	skip(c, size);
	if (c->bad || type != want || class != PACKET_CLASS)
		return;
	out->status = PACKET_FOUND;
	if (out->n == PACKET_RECORDS_MAX)
		return;
	if (get_data(&data, want, size, &out->r[out->n]))
		out->n++;
}

void
packet_parse(
    struct packet_records *out, uint16_t type, int rcode, struct span message)
{
	struct cursor c = { (const uint8_t *)message.p, message.n, 0, false };
	unsigned flags, questions, answers;
	char name[CONF_HOST_MAX + 1];

	out->n = 0;
	out->status = PACKET_NODATA;
	skip(&c, 2); /* id */
	flags = get16(&c);
	questions = get16(&c);
	answers = get16(&c);
	skip(&c, HEADER - 8);
	if (rcode == RCODE_OK && !c.bad)
		rcode = (int)(flags & 0xf);
	for (; questions > 0 && !c.bad; questions--) {
		get_name(&c, name);
		skip(&c, 4);
	}
	for (; answers > 0 && !c.bad && rcode == RCODE_OK; answers--)
		get_record(&c, type, out);
	if (rcode == RCODE_NXNAME)
		out->status = PACKET_NO_NAME;
	else if (c.bad || rcode != RCODE_OK)
		out->status = PACKET_FAILED;
	if (out->status != PACKET_FOUND)
		out->n = 0;
}
