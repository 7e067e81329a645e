/*
 * envelope.c - the envelope between processes.
 */
#include "common/mail/address.h"
#include "common/mail/envelope.h"
#include "common/mail/netblock.h"

#define HELO_MAX \
	512 /* it came in a command line, RFC 5321 section 4.5.3.1.4 \
	     */

struct span
envelope_with_name(enum envelope_with with)
{
	static const char *const names[] = {
		[WITH_SMTP] = "SMTP",
		[WITH_ESMTP] = "ESMTP",
		[WITH_LOCAL] = "local",
		[WITH_UTF8SMTP] = "UTF8SMTP",
	};

	return with < WITH_END ? span_of(names[with]) : SPAN("");
}

void
envelope_put(struct wire_put *w, const struct envelope *e)
{
	wire_put_span(w, e->sender);
	wire_put_span(w, e->helo);
	wire_put_span(w, e->client);
	wire_put_u8(w, (uint8_t)e->with);
	wire_put_u8(w, (uint8_t)e->body);
	wire_put_u32(w, e->nrcpts);
	wire_put_u32(w, e->uid);
	wire_put_u8(w, e->lacks);
	wire_put_u8(w, e->utf8);
}

/* What one process calls canonical the next one checks. */
static bool
is_sound(const struct envelope *e)
{
	struct address sender;
	struct ip client;

	if (e->sender.n > 0 &&
	    (address_parse_utf8(&sender, e->sender) == -1 ||
		(!address_is_ascii(&sender) && !e->utf8) ||
		!span_eq(e->sender, span_from(sender.text, sender.n))))
		return false;
	if (e->client.n > 0 && !ip_parse(&client, e->client))
		return false;
	if (e->with != WITH_LOCAL && (e->uid != 0 || e->lacks != 0))
		return false;
	if (e->helo.n > HELO_MAX)
		return false;
	for (size_t i = 0; i < e->helo.n; i++)
		if (strchr("\r\n", e->helo.p[i]) != NULL) /* or NUL */
			return false;
	return true;
}

void
envelope_get(struct wire_get *w, struct envelope *e)
{
	e->sender = wire_get_span(w);
	e->helo = wire_get_span(w);
	e->client = wire_get_span(w);
	e->with = wire_get_enum(w, WITH_END);
	e->body = wire_get_enum(w, BODY_END);
	e->nrcpts = wire_get_u32(w);
	e->uid = wire_get_u32(w);
	e->lacks = (uint8_t)wire_get_enum(w, LACKS_END);
	e->utf8 = wire_get_bool(w);
	if (!w->bad && is_sound(e))
		return;
	w->bad = true;
	*e = (struct envelope){
		.sender = SPAN(""), .helo = SPAN(""), .client = SPAN("")
	};
}
