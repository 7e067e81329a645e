/*
 * record.c - see record.h.
 */
#include <stdlib.h>

#include "master/conf/record.h"

static void *
grow(struct record *r, void *array, size_t n, size_t size)
{
	void *grown = reallocarray(array, n + 1, size);

	r->failed = r->failed || grown == NULL;
	return grown;
}

void
record_section(struct record *r, const struct setting_place *place,
    const char *title, unsigned line)
{
	struct record_section *grown =
	    grow(r, r->sections, r->n, sizeof *r->sections);
	char *copy = strdup(title != NULL ? title : "");

	if (grown != NULL)
		r->sections = grown;
	if (grown == NULL || copy == NULL) {
		r->failed = true;
		free(copy);
		return;
	}
	r->sections[r->n++] = (struct record_section){
		.place = place, .title = copy, .line = line
	};
}

/* A relative path in it is replaced by the absolute one. */
static char *
in_force(const struct reading *reading, const char *value)
{
	char *text;

	if (reading->path == NULL)
		return strdup(value);
	if (asprintf(&text, "%.*s%s", (int)(reading->path_said - value), value,
		reading->path) == -1)
		return NULL;
	return text;
}

void
record_value(struct record *r, const struct reading *reading, bool top,
    const struct setting *row, unsigned line, const char *value)
{
	struct record_section *s;
	struct record_value *grown;
	char *text;

	if (r->failed || r->n == 0)
		return;
	s = &r->sections[top ? 0 : r->n - 1];
	grown = grow(r, s->values, s->n, sizeof *s->values);
	text = in_force(reading, value);
	if (grown != NULL)
		s->values = grown;
	if (grown == NULL || text == NULL) {
		r->failed = true;
		free(text);
		return;
	}
	s->values[s->n++] = (struct record_value){ row, text, line };
}

void
record_fini(struct record *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct record_section *s = &r->sections[i];

		for (size_t j = 0; j < s->n; j++)
			free(s->values[j].text);
		free(s->values);
		free(s->title);
	}
	free(r->sections);
	*r = (struct record){ 0 };
}
