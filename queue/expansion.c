/*
 * expansion.c - see expansion.h.
 */
#include <stdlib.h>

#include "queue/expansion.h"

/* All addresses of one, with owners. */
#define TEXT_MAX (EXPAND_MAX * 2 * (size_t)(ADDRESS_MAX + 1))

struct expansion *
expansion_new(struct recipient *r, const struct msg_expanded *m)
{
	struct expansion *x = calloc(1, sizeof *x);

	if (x == NULL)
		return NULL;
	x->rcpt = r;
	x->number = m->expansion;
	x->total = m->total;
	x->rows = calloc((size_t)m->total + 1, sizeof *x->rows);
	if (x->rows == NULL) {
		free(x);
		return NULL;
	}
	buf_init(&x->text, TEXT_MAX);
	return x;
}

void
expansion_free(struct expansion *x)
{
	buf_fini(&x->text);
	free(x->rows);
	free(x);
}

bool
expansion_continues(const struct expansion *x, const struct msg_expanded *m)
{
	return m->expansion == x->number && m->total == x->total &&
	    m->at == x->n;
}

/* The text may move as it grows: places now, spans when all is there. */
static int
add_row(struct expansion *x, const struct expand_row *from)
{
	struct row *row = &x->rows[x->n];

	*row = (struct row){ .address_at = x->text.n,
		.address = from->address,
		.owner = from->owner,
		.order = x->n,
		.again = from->again,
		.alias = from->alias };
	if (buf_add_span(&x->text, from->address) == -1)
		return -1;
	row->owner_at = x->text.n;
	if (buf_add_span(&x->text, from->owner) == -1)
		return -1;
	x->n++;
	return 0;
}

int
expansion_add(struct expansion *x, const struct msg_expanded *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (add_row(x, &m->rows[i]) == -1)
			return -1;
	return 0;
}

static int
row_cmp(const void *va, const void *vb)
{
	const struct row *a = va, *b = vb;
	int c;

	if (a->again != b->again)
		return a->again ? 1 : -1;
	if ((c = span_cmp(a->owner, b->owner)) != 0)
		return c;
	return (a->order > b->order) - (a->order < b->order);
}

static int
address_cmp(const void *va, const void *vb)
{
	const struct span *a = va, *b = vb;

	return span_cmp(*a, *b);
}

int
expansion_drop_known(struct expansion *x)
{
	const struct message *m = x->rcpt->message;
	struct span *known;
	uint32_t n = 0, kept = 0;
	char *text;

	if (m->nrcpts == 1)
		return 0;
	known = calloc(m->nrcpts, sizeof *known);
	text = malloc((size_t)m->nrcpts * (ADDRESS_MAX + 1));
	if (known == NULL || text == NULL) {
		free(known);
		free(text);
		return -1;
	}
	for (uint32_t i = 0; i < m->nrcpts; i++) {
		char *at = text + (size_t)i * (ADDRESS_MAX + 1);

		if (&m->rcpts[i] != x->rcpt &&
		    m->rcpts[i].state != RCPT_EXPANDED)
			known[n++] = span_from(at,
			    index_address(&m->rcpts[i], at, ADDRESS_MAX + 1));
	}
	qsort(known, n, sizeof *known, address_cmp);
	for (uint32_t i = 0; i < x->n; i++)
		if (x->rows[i].alias ||
		    bsearch(&x->rows[i].address, known, n, sizeof *known,
			address_cmp) == NULL)
			x->rows[kept++] = x->rows[i];
	x->n = kept;
	free(known);
	free(text);
	return 0;
}

void
expansion_complete(struct expansion *x)
{
	for (uint32_t i = 0; i < x->n; i++) {
		struct row *row = &x->rows[i];

		row->address.p = x->text.p + row->address_at;
		row->owner.p = x->text.p + row->owner_at;
	}
}

uint32_t
expansion_run(const struct expansion *x, uint32_t from)
{
	const struct row *first = &x->rows[from];
	uint32_t n = 1;

	while (from + n < x->n && n < CHILD_RCPTS_MAX &&
	    x->rows[from + n].again == first->again &&
	    span_eq(x->rows[from + n].owner, first->owner))
		n++;
	return n;
}

void
expansion_sort(struct expansion *x)
{
	qsort(x->rows, x->n, sizeof *x->rows, row_cmp);
}
