/*
 * domains.c - domains by name, counted.
 */
#include <stdlib.h>

#include "queue/domains.h"

struct domain {
	RB_ENTRY(domain) by_name;
	uint32_t refs;
	char name[];
};

static int
domain_cmp(struct domain *a, struct domain *b)
{
	return strcmp(a->name, b->name);
}

/* RB_GENERATE_STATIC of libbsd needs an __unused that it does not define. */
RB_GENERATE_INTERNAL(
    domains, domain, by_name, domain_cmp, __attribute__((__unused__)) static)

void
domains_init(struct domains *all)
{
	RB_INIT(all);
}

const char *
domains_hold(struct domains *all, struct span name)
{
	struct domain *d, *have;

	if ((d = malloc(sizeof *d + name.n + 1)) == NULL)
		return NULL;
	d->refs = 1;
	if (name.n > 0)
		memcpy(d->name, name.p, name.n);
	d->name[name.n] = '\0';
	if ((have = RB_INSERT(domains, all, d)) == NULL)
		return d->name;
	free(d);
	have->refs++;
	return have->name;
}

void
domains_release(struct domains *all, const char *name)
{
	struct domain *d;

	if (name == NULL)
		return;
	d = (struct domain *)(void *)((char *)(uintptr_t)name -
	    offsetof(struct domain, name));
	if (--d->refs > 0)
		return;
	RB_REMOVE(domains, all, d);
	free(d);
}
