/*
 * aliases_kind.c - aliases files and the files they include, as kinds of table.
 */
#include <errno.h>
#include <stdlib.h>

#include "lookup/tables/aliases_table.h"
#include "lookup/tables/table_watch.h"

static void *
parse_aliases(const char *path, char *text, size_t n)
{
	return aliases_table_parse(path, text, n);
}

static void
free_aliases(void *table)
{
	aliases_table_free(table);
}

static size_t
report_aliases(const void *table, const char *path, bool world_readable)
{
	const struct aliases_table *t = table;

	(void)world_readable;
	table_problems_log(&t->problems, path);
	return t->n;
}

static void
need_included(void *table, struct table_watch *watch)
{
	struct aliases_table *t = table;

	for (size_t i = 0; i < t->nincludes; i++)
		t->includes[i].file = table_watch_need(
		    watch, &included_kind, t->includes[i].path);
}

static bool
needs(const void *table, const struct table_file *f)
{
	const struct aliases_table *t = table;

	for (size_t i = 0; i < t->nincludes; i++)
		if (t->includes[i].file == f)
			return true;
	return false;
}

const struct table_kind aliases_kind = {
	.parse = parse_aliases,
	.free = free_aliases,
	.report = report_aliases,
	.need = need_included,
	.needs = needs,
};

/* ---- included files ------------------------------------------------------- */

struct included_table *
included_table_parse(char *text, size_t n)
{
	struct included_table *t = calloc(1, sizeof *t);
	struct alias_target target;
	const char *seen = text;
	struct span rest;
	uint32_t line = 1;

	if (t == NULL) {
		free(text);
		return NULL;
	}
	t->text = text;
	t->n = n;
	rest = span_from(text, n);
	for (;;) {
		alias_next_included(&rest, &target);
		if (target.kind == ALIAS_END)
			return t;
		for (; seen < target.at; seen++)
			line += *seen == '\n';
		if (target.kind == ALIAS_ADDRESS)
			t->addresses++;
		else
			table_problem(&t->problems, line, target.why);
	}
}

void
included_table_free(struct included_table *t)
{
	if (t == NULL)
		return;
	free(t->text);
	free(t);
}

static void *
parse_included(const char *path, char *text, size_t n)
{
	(void)path;
	return included_table_parse(text, n);
}

static void
free_included(void *table)
{
	included_table_free(table);
}

static size_t
report_included(const void *table, const char *path, bool world_readable)
{
	const struct included_table *t = table;

	(void)world_readable;
	table_problems_log(&t->problems, path);
	return t->addresses;
}

const struct table_kind included_kind = {
	.parse = parse_included,
	.free = free_included,
	.report = report_included,
};
