/*
 * errors.c - see errors.h.
 */
#include "master/logger/errors.h"

void
errors_keep(struct errors *e, struct span line)
{
	size_t n = line.n < CONTROL_ERROR_MAX ? line.n : CONTROL_ERROR_MAX;

	if (n == 0)
		return;
	memcpy(e->p[e->next], line.p, n);
	e->n[e->next] = n;
	e->next = (e->next + 1) % CONTROL_ERRORS_MAX;
}

void
errors_tell(const struct errors *e, struct msg_errors *m)
{
	m->n = 0;
	for (size_t i = 0; i < CONTROL_ERRORS_MAX; i++) {
		size_t at = (e->next + i) % CONTROL_ERRORS_MAX;

		if (e->n[at] > 0)
			m->lines[m->n++] = span_from(e->p[at], e->n[at]);
	}
}
