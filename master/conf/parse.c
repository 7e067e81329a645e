/*
 * parse.c - libconfuse at work; see parse.h.
 *
 * All values are taken as text with the line they stand on, by the one
 * callback that is told of every value.
 */
#include <confuse.h>
#include <stdlib.h>

#include "master/conf/parse.h"

struct run {
	struct parse *parse;
	const struct text *text;
	const struct parse_place *places;
	size_t nplaces;
	struct problems *problems;
	struct parse_section open; /* the section that is being read */
	bool failed;
};

/* libconfuse's callbacks have no argument of ours. */
static struct run *run;

/* libconfuse's words for an error, and ours: before and behind its argument. */
static const struct {
	const char *theirs, *before, *behind;
} wording[] = {
	{ "found duplicate title '%s'", "the title \"",
	    "\" stands here again; each one once would be right" },
	{ "missing equal sign after option '%s'", "no \"=\" after ",
	    "; NAME = \"VALUE\" would be right" },
	{ "missing title for section '%s'", "no title after ",
	    "; NAME \"TITLE\" { ... } would be right" },
	{ "missing opening brace for section '%s'",
	    "no \"{\" after the title of ",
	    "; NAME \"TITLE\" { ... } would be right" },
	{ "unexpected token '%s'", "unexpected \"",
	    "\"; NAME = \"VALUE\" or, for lists, NAME = { \"VALUE\", ... } "
	    "would "
	    "be right" },
	{ "unexpected closing brace", "\"}\" without a \"{\" before it",
	    "; taking it away would be right" },
	{ "premature end of file", "the file ends within a statement",
	    "; a value or a \"}\" before its end would be right" },
};

static const struct parse_place *
place_named(const char *section)
{
	for (size_t i = 0; i < run->nplaces; i++)
		if (strcmp(run->places[i].section, section) == 0)
			return &run->places[i];
	return NULL;
}

static bool
has_name(const struct parse_place *place, const char *name)
{
	for (size_t i = 0; i < place->nnames; i++)
		if (strcmp(place->names[i].name, name) == 0)
			return true;
	return false;
}

/* A letter too many, too few or wrong, or two exchanged: what people mistype.
 */
static bool
alike(const char *a, const char *b)
{
	size_t n = 0, an = strlen(a), bn = strlen(b), end = 0;

	while (n < an && n < bn && a[n] == b[n])
		n++;
	while (
	    end < an - n && end < bn - n && a[an - 1 - end] == b[bn - 1 - end])
		end++;
	an -= n + end;
	bn -= n + end;
	if (an == 2 && bn == 2)
		return a[n] == b[n + 1] && a[n + 1] == b[n];
	return an <= 1 && bn <= 1;
}

static void
unknown_name(const cfg_t *cfg, const char *name)
{
	const struct parse_place *here =
	    place_named(cfg->title != NULL ? cfg->name : "");
	unsigned line = (unsigned)cfg->line;

	for (size_t i = 0; here != NULL && i < here->nnames; i++)
		if (alike(name, here->names[i].name)) {
			problems_add(run->problems, line,
			    "unknown setting %s; %s would be right", name,
			    here->names[i].name);
			return;
		}
	for (size_t i = 0; i < run->nplaces; i++)
		if (has_name(&run->places[i], name)) {
			const char *section = run->places[i].section;

			problems_add(run->problems, line,
			    "%s cannot be set here; %s%s would be right", name,
			    *section != '\0' ? "within " : "outside of braces",
			    section);
			return;
		}
	problems_add(run->problems, line,
	    "unknown setting %s; one of those in sallyport.conf(5) would be "
	    "right",
	    name);
}

static void __attribute__((format(printf, 2, 0)))
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[512];

	run->failed = true;
	if (strcmp(fmt, "no such option '%s'") == 0) {
		unknown_name(cfg, va_arg(ap, const char *));
		return;
	}
	for (size_t i = 0; i < sizeof wording / sizeof wording[0]; i++) {
		bool argument = strstr(fmt, "%s") != NULL;

		if (strcmp(fmt, wording[i].theirs) != 0)
			continue;
		problems_add(run->problems, (unsigned)cfg->line, "%s%s%s",
		    wording[i].before, argument ? va_arg(ap, const char *) : "",
		    wording[i].behind);
		return;
	}
	vsnprintf(text, sizeof text, fmt, ap);
	problems_add(run->problems, (unsigned)cfg->line, "%s", text);
}

static int
add_item(
    struct parse_section *s, const char *name, const char *value, unsigned line)
{
	struct parse_item *grown =
	    reallocarray(s->items, s->nitems + 1, sizeof *grown);
	struct parse_item item = { strdup(name), strdup(value), line };

	if (grown != NULL)
		s->items = grown;
	if (grown == NULL || item.name == NULL || item.value == NULL) {
		free(item.name);
		free(item.value);
		return -1;
	}
	s->items[s->nitems++] = item;
	return 0;
}

/* A value: of a setting, or one of a list. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct parse_section *s =
	    cfg->title != NULL ? &run->open : &run->parse->sections[0];
	bool first = (opt->flags & CFGF_LIST) == 0 || opt->nvalues == 1;

	*(const char **)result = value;
	/* The default number of an option that is a string means nothing to
	 * libconfuse; it keeps the line where this one was set before. */
	if (first && opt->def.number != 0)
		problems_add(run->problems, (unsigned)cfg->line,
		    "%s was set on line %ld; once would be right", opt->name,
		    opt->def.number);
	if (first)
		opt->def.number = cfg->line;
	return add_item(s, opt->name, value, (unsigned)cfg->line);
}

/* A section's closing brace. */
static int
on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	struct parse *p = run->parse;
	/* What no title occurs twice in is in the order of the file. */
	cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	struct parse_section *grown =
	    reallocarray(p->sections, p->nsections + 1, sizeof *grown);

	(void)cfg;
	if (grown == NULL)
		return -1;
	p->sections = grown;
	run->open.place = place_named(opt->name);
	run->open.title = strdup(section->title);
	if (run->open.title == NULL)
		return -1;
	/* Its first line, which libconfuse has forgotten. */
	run->open.line = p->nsections <= run->text->nsections
	    ? run->text->sections[p->nsections - 1]
	    : (unsigned)cfg->line;
	p->sections[p->nsections++] = run->open;
	run->open = (struct parse_section){ 0 };
	return 0;
}

/* libconfuse's table of a place, made from ours.  NULL: out of memory. */
static cfg_opt_t *
options(const struct parse_place *place, size_t more)
{
	cfg_opt_t *o = calloc(place->nnames + more + 1, sizeof *o);

	for (size_t i = 0; o != NULL && i < place->nnames; i++) {
		int flags = place->names[i].list ? CFGF_LIST : CFGF_NONE;

		o[i] = (cfg_opt_t){ .name = place->names[i].name,
			.type = CFGT_STR,
			.flags = flags | CFGF_NODEFAULT,
			.parsecb = on_value };
	}
	return o;
}

static void
free_options(cfg_opt_t *top)
{
	for (cfg_opt_t *o = top; o != NULL && o->name != NULL; o++)
		free(o->subopts);
	free(top);
}

/* The top, with a section for each other place. */
static cfg_opt_t *
all_options(const struct parse_place *places, size_t nplaces)
{
	cfg_opt_t *top = options(&places[0], nplaces - 1);

	for (size_t i = 1; top != NULL && i < nplaces; i++) {
		cfg_opt_t *sub = options(&places[i], 0);

		if (sub == NULL) {
			free_options(top);
			return NULL;
		}
		top[places[0].nnames + i - 1] =
		    (cfg_opt_t){ .name = places[i].section,
			    .type = CFGT_SEC,
			    .flags =
				CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES,
			    .subopts = sub,
			    .validcb = on_section };
	}
	return top;
}

static void
free_section(struct parse_section *s)
{
	for (size_t i = 0; i < s->nitems; i++) {
		free(s->items[i].name);
		free(s->items[i].value);
	}
	free(s->items);
	free(s->title);
}

int
parse_text(struct parse *p, const struct text *text,
    const struct parse_place *places, size_t nplaces, struct problems *problems)
{
	struct run r = { p, text, places, nplaces, problems, { 0 }, false };
	size_t before = problems->n;
	cfg_opt_t *opts = all_options(places, nplaces);
	cfg_t *cfg = opts != NULL ? cfg_init(opts, CFGF_NONE) : NULL;

	*p = (struct parse){ calloc(1, sizeof *p->sections), 0, false };
	if (cfg == NULL || p->sections == NULL) {
		problems_add(problems, 0, "cannot be read: out of memory");
		goto out;
	}
	p->nsections = 1;
	p->sections[0].place = &places[0];
	run = &r;
	cfg_set_error_function(cfg, on_error);
	p->complete = cfg_parse_buf(cfg, text->plain.p) == CFG_SUCCESS;
	if (!p->complete && !r.failed)
		problems_add(problems, 0, "cannot be read: out of memory");
	free_section(&r.open);
	run = NULL;
out:
	if (cfg != NULL)
		cfg_free(cfg);
	free_options(opts);
	return problems->n == before ? 0 : -1;
}

void
parse_fini(struct parse *p)
{
	for (size_t i = 0; i < p->nsections; i++)
		free_section(&p->sections[i]);
	free(p->sections);
	*p = (struct parse){ NULL, 0, false };
}
