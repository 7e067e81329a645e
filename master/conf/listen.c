/*
 * listen.c - listen "ADDR:PORT" { … }
 */
#include "master/conf/setting.h"
#include "master/conf/value.h"

static void
read_isolation(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf_listen *l = base;

	l->isolation = ISOLATION_SHARED;
	if (strcmp(value, "session") == 0)
		l->isolation = ISOLATION_SESSION;
	else if (strcmp(value, "shared") != 0)
		setting_wrong(r, s, line, value);
}

static void
read_newlines(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf_listen *l = base;

	l->bare_newlines = NEWLINES_REJECT;
	if (strcmp(value, "convert") == 0)
		l->bare_newlines = NEWLINES_CONVERT;
	else if (strcmp(value, "reject") != 0)
		setting_wrong(r, s, line, value);
}

static void
read_refuse(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	static const char *const words[REFUSE_END] = { "no", "connect",
		"hello" };
	struct conf_listen *l = base;

	for (size_t i = 0; i < REFUSE_END; i++)
		if (strcmp(value, words[i]) == 0) {
			l->refuse = (enum conf_refuse)i;
			return;
		}
	setting_wrong(r, s, line, value);
}

static void
read_ehlo_without(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf_listen *l = base;
	unsigned i = 0;

	if (*value == '\0') /* {} is none */
		return;
	while (i < EXT_END && !span_is(span_of(value), extension_name(i)))
		i++;
	if (i == EXT_END)
		setting_wrong(r, s, line, value);
	else
		l->ehlo_without |= EXT_BIT(i);
}

static void
read_proxy(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf_listen *l = base;

	if (*value == '\0') /* {} is nobody */
		return;
	if (l->nproxies == CONF_PROXIES_MAX)
		problems_add(r->problems, line,
		    "one proxy too many; at most %d would be right",
		    CONF_PROXIES_MAX);
	else if (netblock_parse(&l->proxies[l->nproxies], span_of(value)))
		l->nproxies++;
	else
		setting_wrong(r, s, line, value);
}

static const struct setting settings[] = {
	{ "isolation", read_isolation, "shared", 0, 0, 0,
	    "\"shared\" or \"session\"", false },
	{ "bare_newlines", read_newlines, "reject", 0, 0, 0,
	    "\"reject\" or \"convert\"", false },
	{ "refuse", read_refuse, "no", 0, 0, 0,
	    "\"no\", \"connect\" or \"hello\"", false },
	{ "proxy", read_proxy, NULL, 0, 0, 0,
	    "a block like \"192.0.2.0/24\" or \"2001:db8::/32\"", true },
	{ "ehlo_without", read_ehlo_without, NULL, 0, 0, 0,
	    "a keyword of EHLO: PIPELINING, SIZE, 8BITMIME, CHUNKING, "
	    "BINARYMIME, SMTPUTF8, LIMITS, ENHANCEDSTATUSCODES",
	    true },
};

static void *
open_listen(struct reading *r, unsigned line, const char *title)
{
	struct conf *c = r->conf;
	struct conf_listen *l, new = { .port = 0 };
	char host[IP_TEXT_MAX];

	if (!span_copy(new.title, sizeof new.title, span_of(title)) ||
	    !value_endpoint(span_of(title), host, sizeof host, &new.port) ||
	    !ip_parse(&new.ip, span_of(host))) {
		problems_add(r->problems, line,
		    "listen \"%s\" is no address with a port; \"192.0.2.1:25\" "
		    "or \"[::]:25\" would be right",
		    title);
		return NULL;
	}
	for (size_t i = 0; i < c->nlistens; i++)
		if (new.port != 0 && c->listens[i].port == new.port &&
		    memcmp(&c->listens[i].ip, &new.ip, sizeof new.ip) == 0) {
			problems_add(r->problems, line,
			    "listen \"%s\" is the same as \"%s\"; once would "
			    "be right",
			    title, c->listens[i].title);
			return NULL;
		}
	if (c->nlistens == CONF_LISTENS_MAX) {
		problems_add(r->problems, line,
		    "one listen too many; at most %d would be right",
		    CONF_LISTENS_MAX);
		return NULL;
	}
	l = setting_grow(r, &c->listens, &c->nlistens, sizeof *l);
	if (l != NULL)
		*l = new;
	return l;
}

const struct setting_place *
setting_listen(void)
{
	static const struct setting_place place = { "listen", settings,
		sizeof settings / sizeof settings[0], open_listen, NULL };

	return &place;
}
