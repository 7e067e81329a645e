/*
 * setting.c - what the tables of settings have in common.
 */
#include <stdlib.h>

#include "master/conf/setting.h"

const struct setting_place *
setting_place(size_t i)
{
	switch (i) {
	case 0:
		return setting_top();
	case 1:
		return setting_listen();
	case 2:
		return setting_domain();
	case 3:
		return setting_route();
	case 4:
		return setting_expect();
	default:
		return setting_reply();
	}
}

const struct setting *
setting_named(const struct setting_place *place, const char *name)
{
	for (size_t i = 0; i < place->n; i++)
		if (strcmp(place->settings[i].name, name) == 0)
			return &place->settings[i];
	return NULL;
}

void
setting_wrong(struct reading *r, const struct setting *s, unsigned line,
    const char *value)
{
	problems_add(r->problems, line,
	    "%s = \"%s\" is wrong; %s would be right", s->name, value,
	    s->right);
}

void
setting_read_unsupported(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	(void)base;
	(void)value;
	problems_add(r->problems, line,
	    "%s is not supported by this version; leaving it out would be "
	    "right",
	    s->name);
}

void
setting_read_choice(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct span no = span_of(s->right + 1), yes = no;
	bool chosen;

	no = span_cut(&yes, '"');
	yes = span_skip(yes, strlen(" or \""));
	yes.n--;
	chosen = span_eq(span_of(value), yes);
	memcpy((char *)base + s->at, &chosen, sizeof chosen);
	if (!chosen && !span_eq(span_of(value), no))
		setting_wrong(r, s, line, value);
}

bool
setting_path(struct reading *r, char *dst, size_t size, const char *path)
{
	int n;

	r->path_said = path;
	r->path = dst;
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	n = path[0] == '/' ? snprintf(dst, size, "%s", path)
			   : snprintf(dst, size, "%s/%s", r->dir, path);
	if (*path == '\0' || n < 0 || (size_t)n >= size) {
		*dst = '\0';
		return false;
	}
	return true;
}

void *
setting_grow(struct reading *r, void *array, size_t *n, size_t size)
{
	void *old, *grown;

	memcpy(&old, array, sizeof old);
	grown = reallocarray(old, *n + 1, size);
	if (grown == NULL) {
		problems_add(r->problems, 0, "cannot be read: out of memory");
		return NULL;
	}
	memcpy(array, &grown, sizeof grown);
	return memset((char *)grown + (*n)++ * size, 0, size);
}
