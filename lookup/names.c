/*
 * names.c - see names.h.
 */
#include "lookup/names.h"
#include "lookup/tables/users_table.h"

static struct span
unquoted(char text[ADDRESS_LOCAL_MAX + 1], const struct address *a)
{
	int n = address_unquote(text, ADDRESS_LOCAL_MAX + 1, address_local(a));

	return span_from(text, n < 0 ? 0 : (size_t)n);
}

static void
add(struct names *names, struct span name, bool lower)
{
	char *to = names->name[names->n];

	span_copy(to, sizeof names->name[0], name);
	for (char *p = to; lower && *p != '\0'; p++)
		*p = ascii_lower(*p);
	if (names->n == 0 || strcmp(to, names->name[names->n - 1]) != 0)
		names->n++;
}

bool
names_of(struct names *names, const struct address *a, char plus)
{
	char text[ADDRESS_LOCAL_MAX + 1];
	struct span whole = unquoted(text, a), rest = whole, base;

	names->n = 0;
	if (!users_local_ok(whole))
		return false;
	add(names, whole, false);
	add(names, whole, true);
	base = span_cut(&rest, plus);
	if (plus == '\0' || base.n == 0 || base.n == whole.n)
		return true;
	add(names, base, false);
	add(names, base, true);
	return true;
}

bool
names_is(const struct address *a, const char *name)
{
	char text[ADDRESS_LOCAL_MAX + 1];

	return span_is(unquoted(text, a), name);
}
