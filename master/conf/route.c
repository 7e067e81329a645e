/*
 * route.c - route "PATTERN" { … }: which way mail for other domains goes.
 */
#include "master/conf/setting.h"
#include "master/conf/value.h"

#define SMTP_PORT 25

static void
read_via(struct reading *r, const struct setting *s, void *base, unsigned line,
    const char *value)
{
	struct conf_route *route = base;
	struct span v = span_of(value);

	if (strcmp(value, "mx") == 0) {
		route->via = VIA_MX;
		return;
	}
	route->via = VIA_SMTP;
	route->port = SMTP_PORT;
	if (span_starts(v, "lmtp:") || span_starts(v, "smtps:")) {
		problems_add(r->problems, line,
		    "via = \"%s\" is not supported by this version; %s would "
		    "be "
		    "right",
		    value, s->right);
		return;
	}
	if (!span_starts(v, "smtp://") ||
	    !value_endpoint(span_skip(v, strlen("smtp://")), route->host,
		sizeof route->host, &route->port) ||
	    route->port == 0)
		setting_wrong(r, s, line, value);
}

static const struct setting settings[] = {
	{ "via", read_via, "mx", 0, 0, 0,
	    "\"mx\" or \"smtp://HOST\" or \"smtp://HOST:PORT\"", false },
};

/* "*", a domain, or the end of one with its dot: ".example.org". */
static bool
pattern_ok(const char *title)
{
	if (strcmp(title, "*") == 0)
		return true;
	if (title[0] == '.')
		title++;
	return title[0] != '[' && address_domain_ok(span_of(title));
}

static void *
open_route(struct reading *r, unsigned line, const char *title)
{
	struct conf *c = r->conf;
	struct conf_route *route;
	char pattern[ADDRESS_DOMAIN_MAX + 1];

	if (!pattern_ok(title) ||
	    !span_copy(pattern, sizeof pattern, span_of(title))) {
		problems_add(r->problems, line,
		    "route \"%s\" is no pattern; \"*\", \"example.org\" or "
		    "\".example.org\" would be right",
		    title);
		return NULL;
	}
	for (char *p = pattern; *p != '\0'; p++)
		*p = ascii_lower(*p);
	for (size_t i = 0; i < c->nroutes; i++)
		if (strcmp(c->routes[i].pattern, pattern) == 0) {
			problems_add(r->problems, line,
			    "route \"%s\" stands twice; once would be right",
			    pattern);
			return NULL;
		}
	route = setting_grow(r, &c->routes, &c->nroutes, sizeof *route);
	if (route != NULL)
		memcpy(route->pattern, pattern, sizeof pattern);
	return route;
}

const struct setting_place *
setting_route(void)
{
	static const struct setting_place place = { "route", settings,
		sizeof settings / sizeof settings[0], open_route, NULL };

	return &place;
}
