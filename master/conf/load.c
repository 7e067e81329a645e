/*
 * load.c - the file's values and the defaults, through the tables.
 */
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/conf/load.h"
#include "master/conf/parse.h"
#include "master/conf/setting.h"

static bool
is_set(const struct parse_section *s, const char *name)
{
	for (size_t i = 0; i < s->nitems; i++)
		if (strcmp(s->items[i].name, name) == 0)
			return true;
	return false;
}

/* A value; `said` is its line in the file, 0 for a default. */
static void
read_value(struct reading *r, const struct setting *row, void *base,
    unsigned line, unsigned said, const char *value)
{
	r->path_said = r->path = NULL;
	row->read(r, row, base, line, value);
	if (r->record != NULL)
		record_value(
		    r->record, r, base == r->conf, row, said, value);
}

/* A default, word by word where it is one of a list. */
static void
read_standard(
    struct reading *r, const struct setting *row, void *base, unsigned line)
{
	struct span all = span_of(row->standard);
	char word[CONF_PATH_MAX];

	if (!row->list) {
		read_value(r, row, base, line, 0, row->standard);
		return;
	}
	while (all.n > 0)
		if (span_copy(word, sizeof word, span_cut(&all, ' ')))
			read_value(r, row, base, line, 0, word);
}

static void
read_section(struct reading *r, const struct parse_section *s,
    const struct setting_place *place, bool complete)
{
	size_t before = r->problems->n;
	void *base = place->open(r, s->line, s->title);

	if (base == NULL)
		return;
	if (r->record != NULL)
		record_section(r->record, place, s->title, s->line);
	for (size_t i = 0; i < s->nitems; i++) {
		const struct parse_item *item = &s->items[i];
		const struct setting *row = setting_named(place, item->name);

		read_value(r, row, base, item->line, item->line, item->value);
	}
	for (size_t i = 0; i < place->n; i++) {
		const struct setting *row = &place->settings[i];

		if (row->standard != NULL && !is_set(s, row->name))
			read_standard(r, row, base, s->line);
	}
	/* Of values that are wrong or missing it is not worth asking whether
	 * they go together. */
	if (complete && r->problems->n == before && place->close != NULL)
		place->close(r, base, s->line);
}

/* This machine's name with its domain, from the host name or the resolver. */
static bool
machine_name(char *dst, size_t size)
{
	const struct addrinfo hints = { .ai_flags = AI_CANONNAME,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char name[CONF_HOST_MAX + 1] = "";
	bool ok;

	if (gethostname(name, sizeof name - 1) == -1)
		return false;
	if (strchr(name, '.') != NULL)
		return span_copy(dst, size, span_of(name));
	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	ok = found->ai_canonname != NULL &&
	    strchr(found->ai_canonname, '.') != NULL &&
	    span_copy(dst, size, span_of(found->ai_canonname));
	freeaddrinfo(found);
	return ok;
}

/* The defaults that are no fixed text. */
static void
read_computed(struct reading *r, const struct parse_section *top)
{
	const struct setting *row;
	struct conf *c = r->conf;
	char text[CONF_HOST_MAX + sizeof "root@"];
	size_t before = r->problems->n;

	if (!is_set(top, "hostname")) {
		row = setting_named(setting_top(), "hostname");
		if (machine_name(text, sizeof text))
			read_value(r, row, c, 0, 0, text);
		else
			problems_add(r->problems, 0,
			    "hostname is not set and this machine's own name "
			    "has "
			    "no domain; hostname = \"mail.example.org\" would "
			    "be "
			    "right");
	}
	if (!is_set(top, "postmaster") && r->problems->n == before) {
		row = setting_named(setting_top(), "postmaster");
		snprintf(text, sizeof text, "root@%s",
		    c->ndomains > 0 ? c->domains[0].name : c->hostname);
		read_value(r, row, c, 0, 0, text);
	}
}

/* route "*" { via = "mx" } stands behind all others where no "*" is given. */
static void
add_default_route(struct reading *r)
{
	const struct setting_place *place = setting_route();
	const struct parse_section standard = { .title = NULL };
	struct parse_section any = standard;
	char star[] = "*";

	any.title = star;
	for (size_t i = 0; i < r->conf->nroutes; i++)
		if (strcmp(r->conf->routes[i].pattern, star) == 0)
			return;
	read_section(r, &any, place, true);
}

static void
read_all(struct reading *r, const struct parse *p)
{
	for (size_t i = 0; i < p->nsections; i++)
		for (size_t j = 0; j < SETTING_PLACES; j++) {
			const struct setting_place *place = setting_place(j);

			if (strcmp(place->section,
				p->sections[i].place->section) == 0)
				read_section(
				    r, &p->sections[i], place, p->complete);
		}
	if (!p->complete || p->nsections == 0)
		return;
	read_computed(r, &p->sections[0]);
	add_default_route(r);
	expect_listeners(r);
}

/* The names that libconfuse is to know, from the tables. */
static struct parse_name *
names_of(const struct setting_place *place)
{
	struct parse_name *names = calloc(place->n, sizeof *names);

	for (size_t i = 0; names != NULL && i < place->n; i++)
		names[i] = (struct parse_name){ place->settings[i].name,
			place->settings[i].list };
	return names;
}

static void
parse_and_read(struct reading *r, const struct text *text)
{
	struct parse_place places[SETTING_PLACES] = { 0 };
	struct parse parse = { 0 };
	bool memory = true;

	for (size_t i = 0; i < SETTING_PLACES; i++) {
		const struct setting_place *place = setting_place(i);
		struct parse_name *names = names_of(place);

		places[i] =
		    (struct parse_place){ place->section, names, place->n };
		memory &= names != NULL;
	}
	if (memory) {
		parse_text(&parse, text, places, SETTING_PLACES, r->problems);
		read_all(r, &parse);
		parse_fini(&parse);
	} else
		problems_add(r->problems, 0, "cannot be read: out of memory");
	for (size_t i = 0; i < SETTING_PLACES; i++)
		free((void *)(uintptr_t)places[i].names);
}

/* The file's own absolute path and its directory. */
static int
locate(struct reading *r, const char *path)
{
	struct conf *c = r->conf;
	char *slash;

	r->dir[0] = '\0';
	if (path[0] != '/' && getcwd(r->dir, sizeof r->dir) == NULL)
		r->dir[0] = '\0';
	if (!setting_path(r, c->file, sizeof c->file, path)) {
		problems_add(r->problems, 0, "the path is too long");
		return -1;
	}
	memcpy(r->dir, c->file, sizeof r->dir);
	slash = strrchr(r->dir, '/');
	*slash = '\0';
	return 0;
}

int
load_file(struct conf *c, const char *path, struct problems *problems,
    struct record *record)
{
	struct reading r = { .conf = c,
		.problems = problems,
		.record = record };
	struct text text = { 0 };
	struct buf file;
	size_t before = problems->n;

	memset(c, 0, sizeof *c);
	/* One byte more than a file may have, so that one that grows shows. */
	buf_init(&file, TEXT_FILE_MAX + 64 * 1024);
	if (locate(&r, path) == 0 && text_read(&file, path, problems) == 0 &&
	    text_plain(&text, buf_span(&file), problems) == 0)
		parse_and_read(&r, &text);
	text_fini(&text);
	buf_fini(&file);
	return problems->n == before ? 0 : -1;
}
