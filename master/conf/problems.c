/*
 * problems.c - collecting what is wrong with a configuration.
 *
 * Nothing here ends the program: an administrator wants every mistake of a
 * file in one go, not one a run.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "master/conf/problems.h"

void
problems_add(struct problems *p, unsigned line, const char *fmt, ...)
{
	va_list ap;
	char *text;

	if (p->n++ >= PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		text = NULL;
	va_end(ap);
	p->list[p->n - 1] = (struct problem){ line, (unsigned)p->n, text };
}

static int
by_line(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void
problems_print(struct problems *p, const char *file, FILE *out)
{
	size_t n = p->n < PROBLEMS_MAX ? p->n : PROBLEMS_MAX;

	qsort(p->list, n, sizeof p->list[0], by_line);
	for (size_t i = 0; i < n; i++) {
		const struct problem *one = &p->list[i];

		fputs(file, out);
		if (one->line > 0)
			fprintf(out, ":%u", one->line);
		fprintf(out, ": %s\n",
		    one->text != NULL ? one->text : "out of memory");
	}
	if (p->n > n)
		fprintf(out, "%s: and %zu more\n", file, p->n - n);
}

void
problems_fini(struct problems *p)
{
	size_t n = p->n < PROBLEMS_MAX ? p->n : PROBLEMS_MAX;

	for (size_t i = 0; i < n; i++)
		free(p->list[i].text);
	p->n = 0;
}
