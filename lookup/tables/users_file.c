/*
 * users_file.c - a users file as one kind of table.
 */
#include <stdlib.h>

#include "common/bytes/log.h"
#include "lookup/tables/users_file.h"

static void *
parse(enum users_form form, char *text, size_t n)
{
	struct users_table *t = calloc(1, sizeof *t);

	if (t == NULL) {
		free(text);
		return NULL;
	}
	if (users_table_parse(t, form, text, n) == 0)
		return t;
	free(t);
	return NULL;
}

static void *
parse_users(const char *path, char *text, size_t n)
{
	(void)path;
	return parse(USERS_FORM_VALUES, text, n);
}

static void *
parse_moved(const char *path, char *text, size_t n)
{
	(void)path;
	return parse(USERS_FORM_MOVED, text, n);
}

static void
free_table(void *table)
{
	if (table == NULL)
		return;
	users_table_fini(table);
	free(table);
}

static size_t
report(const void *table, const char *path, bool world_readable)
{
	const struct users_table *t = table;

	table_problems_log(&t->problems, path);
	if (t->passwords > 0 && world_readable)
		log_warn("table_passwords_readable", log_str("file", path));
	return t->n;
}

const struct table_kind users_file_kind = {
	.parse = parse_users,
	.free = free_table,
	.report = report,
};

const struct table_kind moved_file_kind = {
	.parse = parse_moved,
	.free = free_table,
	.report = report,
};

enum users_result
users_file_find(const struct table_file *f, struct span local,
    const struct users_entry **entry)
{
	const struct users_table *t = table_file_table(f);

	if (t == NULL)
		return USERS_FILE_UNREADABLE;
	*entry = users_table_find(t, local);
	if (*entry == NULL)
		return USERS_FILE_NONE;
	return (*entry)->wrong ? USERS_FILE_WRONG : USERS_FILE_FOUND;
}
