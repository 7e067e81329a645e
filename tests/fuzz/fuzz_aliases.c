/*
 * fuzz_aliases.c - a text as an aliases file and as an included one: what comes
 * out of it are addresses, lines that exist, and an end.
 */
#include <stdlib.h>

#include "lookup/tables/aliases_table.h"
#include "lookup/tables/table_watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* Nothing is read here. */
struct table_file *
table_watch_need(
    struct table_watch *w, const struct table_kind *kind, const char *path)
{
	(void)w;
	must(kind == &included_kind && path[0] == '/');
	return NULL;
}

static char *
copy_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	return text;
}

static void
is_address(const struct alias_target *t)
{
	const struct address *a = &t->address;
	struct address again;

	must(a->n > 0 && a->n <= ADDRESS_MAX && a->text[a->n] == '\0');
	must((a->at < a->n ? address_parse(&again, span_from(a->text, a->n))
			   : address_parse_bare(
				 &again, span_from(a->text, a->n))) == 0);
}

static void
walk(struct span rest, bool included, bool right)
{
	size_t left = rest.n + 1;
	struct alias_target t;

	for (;;) {
		if (included)
			alias_next_included(&rest, &t);
		else
			alias_next(&rest, &t);
		must(rest.n < left || t.kind == ALIAS_END);
		left = rest.n;
		if (t.kind == ALIAS_END)
			return;
		must(!right || t.kind != ALIAS_WRONG);
		if (t.kind == ALIAS_ADDRESS || t.kind == ALIAS_MAILBOX)
			is_address(&t);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct aliases_table *a;
	struct included_table *i;

	if (memchr(data, '\0', size) != NULL)
		return 0; /* table_file.c takes no such text */
	a = aliases_table_parse("/a/b", copy_of(data, size), size);
	must(a != NULL);
	for (size_t k = 0; k < a->n; k++) {
		const struct aliases_entry *e = &a->entries[k];

		must(e->line > 0 && aliases_table_find(a, e->name) != NULL);
		walk(e->targets, false, !e->wrong);
	}
	aliases_table_free(a);
	i = included_table_parse(copy_of(data, size), size);
	must(i != NULL);
	walk(span_from(i->text, i->n), true, i->problems.n == 0);
	included_table_free(i);
	return 0;
}
