/*
 * alias.c - see alias.h.
 */
#include "lookup/alias.h"

enum alias_result
alias_find(struct alias *a, const struct files *files,
    const struct conf_domain *d, const struct names *names)
{
	const struct table_file *file = files_aliases(files, d);

	if (file == NULL)
		return ALIAS_NONE;
	a->path = table_file_path(file);
	if ((a->table = table_file_table(file)) == NULL)
		return ALIAS_BROKEN;
	for (size_t i = 0; i < names->n; i++) {
		a->entry =
		    aliases_table_find(a->table, span_of(names->name[i]));
		if (a->entry != NULL)
			return a->entry->wrong ? ALIAS_BROKEN : ALIAS_FOUND;
	}
	return ALIAS_NONE;
}

const struct included_table *
alias_included(const struct alias *a, const struct alias_target *t)
{
	const struct table_file *f =
	    aliases_table_include(a->table, a->path, t);

	return f != NULL ? table_file_table(f) : NULL;
}
