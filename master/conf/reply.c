/*
 * reply.c - reply "NAME" { text = "…" }: the administrator's own words.
 */
#include "master/conf/setting.h"

static void
read_text(struct reading *r, const struct setting *s, void *base, unsigned line,
    const char *value)
{
	struct conf_reply *own = base;
	const char *right = reply_text_wrong(own->name, value);

	if (right == NULL &&
	    span_copy(own->text, sizeof own->text, span_of(value)))
		return;
	problems_add(r->problems, line,
	    "%s = \"%s\" is wrong for %s; %s would be right", s->name, value,
	    reply_row(own->name)->name, right);
}

static const struct setting settings[] = {
	{ "text", read_text, NULL, 0, 0, 0, NULL, false },
};

static void *
open_reply(struct reading *r, unsigned line, const char *title)
{
	struct conf *c = r->conf;
	struct conf_reply *own;
	enum reply_name name;

	if (!reply_by_name(span_of(title), &name)) {
		problems_add(r->problems, line,
		    "reply \"%s\" is no reply; a name that `sallyport reply' "
		    "prints, like \"relay-denied\", would be right",
		    title);
		return NULL;
	}
	for (size_t i = 0; i < c->nreplies; i++)
		if (c->replies[i].name == name) {
			problems_add(r->problems, line,
			    "reply \"%s\" stands twice; once would be right",
			    title);
			return NULL;
		}
	own = setting_grow(r, &c->replies, &c->nreplies, sizeof *own);
	if (own != NULL)
		own->name = name;
	return own;
}

static void
close_reply(struct reading *r, void *base, unsigned line)
{
	const struct conf_reply *own = base;

	if (own->text[0] == '\0')
		problems_add(r->problems, line,
		    "reply \"%s\" has no text; { text = \"…\" } would be "
		    "right",
		    reply_row(own->name)->name);
}

const struct setting_place *
setting_reply(void)
{
	static const struct setting_place place = { "reply", settings,
		sizeof settings / sizeof settings[0], open_reply, close_reply };

	return &place;
}
