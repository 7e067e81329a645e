/*
 * foreign.c - see foreign.h.
 */
#include "lookup/foreign.h"
#include "lookup/literal.h"

#define LITERAL_PORT 25 /* RFC 5321 section 4.1.3: no MX, so no other port */

static enum reply_name
to_literal(struct route *route, const struct conf *conf, const struct ip *ip)
{
	char text[IP_TEXT_MAX];

	if (literal_is_ours(conf, ip))
		return R_RELAY_DENIED;
	ip_format(text, ip);
	*route = (struct route){ .kind = ROUTE_SMTP, .port = LITERAL_PORT };
	span_copy(route->host, sizeof route->host, span_of(text));
	return R_RCPT_OK;
}

enum reply_name
foreign_route(struct route *route, const struct conf *conf, struct span domain)
{
	const struct conf_route *via = conf_route(conf, domain);
	struct ip ip;

	if (literal_ip(&ip, domain))
		return to_literal(route, conf, &ip);
	*route = (struct route){ .kind = ROUTE_MX };
	if (via != NULL && via->via == VIA_SMTP) {
		route->kind = ROUTE_SMTP;
		route->port = via->port;
		domain = span_of(via->host);
	}
	return span_copy(route->host, sizeof route->host, domain)
	    ? R_RCPT_OK
	    : R_NO_SUCH_DOMAIN;
}
