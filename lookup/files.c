/*
 * files.c - see files.h.
 */
#include <stdlib.h>

#include "lookup/files.h"

struct files {
	const struct conf *conf;
	struct users_file **of; /* by domain */
};

static bool
make(struct files *f)
{
	const struct conf *c = f->conf;

	for (size_t i = 0; i < c->ndomains; i++) {
		size_t same = 0;

		if (c->domains[i].users != USERS_FILE)
			continue;
		while (same < i &&
		    (f->of[same] == NULL ||
			strcmp(c->domains[same].users_file,
			    c->domains[i].users_file) != 0))
			same++;
		f->of[i] = same < i ? f->of[same]
				    : users_file_new(c->domains[i].users_file);
		if (f->of[i] == NULL)
			return false;
	}
	return true;
}

struct files *
files_new(const struct conf *conf)
{
	struct files *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->conf = conf;
	f->of = calloc(conf->ndomains + 1, sizeof(struct users_file *));
	if (f->of == NULL || !make(f)) {
		files_free(f);
		return NULL;
	}
	return f;
}

/* Is this the first domain that has this file? */
static bool
owns(const struct files *f, size_t domain)
{
	for (size_t i = 0; i < domain; i++)
		if (f->of[i] == f->of[domain])
			return false;
	return true;
}

void
files_free(struct files *f)
{
	if (f == NULL)
		return;
	for (size_t i = f->conf->ndomains; f->of != NULL && i-- > 0;)
		if (f->of[i] != NULL && owns(f, i))
			users_file_free(f->of[i]);
	free(f->of);
	free(f);
}

struct users_file *
files_of(const struct files *f, const struct conf_domain *domain)
{
	return f->of[domain - f->conf->domains];
}
