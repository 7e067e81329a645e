/*
 * record_print.c - a record as a configuration, and as JSON.
 */
#include <jansson.h>
#include <stdlib.h>

#include "master/conf/record.h"

#define COMMENT_AT 44 /* the column where comments begin, where they can */

/* The values of a setting in a section: those of a list follow each other. */
static size_t
values_of(const struct record_section *s, const struct setting *row,
    const struct record_value **first)
{
	size_t n = 0;

	*first = NULL;
	for (size_t i = 0; i < s->n; i++)
		if (s->values[i].row == row) {
			*first = n++ == 0 ? &s->values[i] : *first;
		}
	return n;
}

/* ---- as a configuration --------------------------------------------------- */

static char *
quoted(const char *text)
{
	char *out = malloc(2 * strlen(text) + 3), *p = out;

	if (out == NULL)
		return NULL;
	*p++ = '"';
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			*p++ = '\\';
		*p++ = *text;
	}
	*p++ = '"';
	*p = '\0';
	return out;
}

static int
print_quoted(const char *text, FILE *out)
{
	char *q = quoted(text);
	int n = fprintf(out, "%s", q != NULL ? q : "\"\"");

	free(q);
	return n;
}

static int
print_values(const struct setting *row, const struct record_value *v, size_t n,
    FILE *out)
{
	int width;

	if (!row->list)
		return print_quoted(v->text, out);
	if (n == 1 && v->text[0] == '\0')
		return fprintf(out, "{ }");
	width = fprintf(out, "{ ");
	for (size_t i = 0; i < n; i++) {
		width += print_quoted(v[i].text, out);
		width += fprintf(out, i + 1 < n ? ", " : " }");
	}
	return width;
}

/* What the default would be; only a text that is fixed can be told. */
static void
print_standard(const struct setting *row, FILE *out)
{
	if (row->standard != NULL)
		fprintf(out, "; default %s%s%s", row->list ? "{ " : "\"",
		    row->standard, row->list ? " }" : "\"");
}

static void
print_setting(const struct record_section *s, const struct setting *row,
    const char *file, FILE *out)
{
	const struct record_value *v;
	size_t n = values_of(s, row, &v);
	const char *indent = *s->place->section != '\0' ? "\t" : "";
	int width = *indent != '\0' ? 8 : 0;

	if (row->read == setting_read_unsupported)
		return;
	if (n == 0) {
		fprintf(out, "%s# %s: not set\n", indent, row->name);
		return;
	}
	width += fprintf(out, "%s%s = ", indent, row->name) - (*indent != '\0');
	width += print_values(row, v, n, out);
	fprintf(out, "%*s# ", width < COMMENT_AT ? COMMENT_AT - width : 1, "");
	if (v->line == 0)
		fputs("default", out);
	else {
		fprintf(out, "%s:%u", file, v->line);
		print_standard(row, out);
	}
	fputc('\n', out);
}

static void
print_section(const struct record_section *s, const char *file, FILE *out)
{
	bool braces = *s->place->section != '\0';

	if (braces) {
		fprintf(out, "\n%s ", s->place->section);
		print_quoted(s->title, out);
		fputs(" { # ", out);
		if (s->line == 0)
			fputs("default\n", out);
		else
			fprintf(out, "%s:%u\n", file, s->line);
	}
	for (size_t i = 0; i < s->place->n; i++)
		print_setting(s, &s->place->settings[i], file, out);
	if (braces)
		fputs("}\n", out);
}

void
record_print(const struct record *r, const char *file, FILE *out)
{
	for (size_t i = 0; i < r->n; i++)
		print_section(&r->sections[i], file, out);
}

/* ---- as JSON -------------------------------------------------------------- */

/* A file name or a path need not be UTF-8, JSON must: such bytes come as U+FFFD.
 */
static json_t *
text_json(const char *text)
{
	json_t *t = json_string(text);
	char *plain;

	if (t != NULL || (plain = calloc(3, strlen(text) + 1)) == NULL)
		return t;
	for (char *p = plain; *text != '\0'; text++)
		p = stpcpy(p,
		    (unsigned char)*text < 0x80 ? (char[]){ *text, '\0' }
						: "\357\277\275");
	t = json_string(plain);
	free(plain);
	return t;
}

static json_t *
standard_json(const struct setting *row)
{
	struct span all;
	json_t *list;

	if (row->standard == NULL)
		return json_null();
	if (!row->list)
		return json_string(row->standard);
	all = span_of(row->standard);
	list = json_array();
	while (all.n > 0) {
		struct span word = span_cut(&all, ' ');

		json_array_append_new(list, json_stringn(word.p, word.n));
	}
	return list;
}

static json_t *
values_json(const struct setting *row, const struct record_value *v, size_t n)
{
	json_t *list;

	if (n == 0)
		return json_null();
	if (!row->list)
		return text_json(v->text);
	list = json_array();
	for (size_t i = 0; i < n; i++)
		if (v[i].text[0] != '\0')
			json_array_append_new(list, text_json(v[i].text));
	return list;
}

static void
print_setting_json(const struct record_section *s, const struct setting *row,
    const char *file, FILE *out)
{
	const struct record_value *v;
	size_t n = values_of(s, row, &v);
	json_t *o;

	if (row->read == setting_read_unsupported)
		return;
	o = json_object();
	if (*s->place->section != '\0') {
		json_object_set_new(
		    o, "statement", json_string(s->place->section));
		json_object_set_new(o, "title", text_json(s->title));
	}
	json_object_set_new(o, "name", json_string(row->name));
	json_object_set_new(o, "value", values_json(row, v, n));
	json_object_set_new(o, "default", standard_json(row));
	if (n > 0 && v->line > 0) {
		json_object_set_new(o, "file", text_json(file));
		json_object_set_new(o, "line", json_integer(v->line));
	}
	json_dumpf(o, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(o);
}

void
record_print_json(const struct record *r, const char *file, FILE *out)
{
	for (size_t i = 0; i < r->n; i++)
		for (size_t j = 0; j < r->sections[i].place->n; j++)
			print_setting_json(&r->sections[i],
			    &r->sections[i].place->settings[j], file, out);
}
