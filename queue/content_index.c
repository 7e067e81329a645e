/*
 * content_index.c - contents by number, counted, listed by segment.
 */
#include <stdlib.h>

#include "queue/content_index.h"
#include "queue/segment.h"

static int
content_cmp(struct content *a, struct content *b)
{
	return a->number < b->number ? -1 : a->number > b->number;
}

/* RB_GENERATE_STATIC of libbsd needs an __unused that it does not define. */
RB_GENERATE_INTERNAL(contents, content, by_number, content_cmp,
    __attribute__((__unused__)) static)

void
content_index_init(struct content_index *ix)
{
	RB_INIT(&ix->by_number);
	TAILQ_INIT(&ix->unnamed);
}

struct content *
content_find(struct content_index *ix, uint64_t number)
{
	struct content key = { .number = number };

	return RB_FIND(contents, &ix->by_number, &key);
}

static void
content_unlist(struct content_index *ix, struct content *c)
{
	struct segment *s = c->place.segment;

	if (c->refs == 0)
		TAILQ_REMOVE(&ix->unnamed, c, in_segment);
	else if (s != NULL) {
		TAILQ_REMOVE(&s->contents, c, in_segment);
		s->live -= c->place.size;
	}
}

static void
content_list(struct content_index *ix, struct content *c)
{
	struct segment *s = c->place.segment;

	if (c->refs == 0)
		TAILQ_INSERT_TAIL(&ix->unnamed, c, in_segment);
	else if (s != NULL) {
		TAILQ_INSERT_TAIL(&s->contents, c, in_segment);
		s->live += c->place.size;
	}
}

void
content_refer(struct content_index *ix, struct content *c, int by)
{
	content_unlist(ix, c);
	c->refs += (uint32_t)by;
	content_list(ix, c);
}

struct content *
content_make(struct content_index *ix, uint64_t number, uint64_t size)
{
	struct content *c = content_find(ix, number);

	if (c != NULL || (c = calloc(1, sizeof *c)) == NULL)
		return c;
	c->number = number;
	c->size = size;
	RB_INSERT(contents, &ix->by_number, c);
	content_list(ix, c);
	return c;
}

void
content_move(struct content_index *ix, uint64_t number, uint64_t size,
    bool file, struct place place)
{
	struct content *c = content_make(ix, number, size);

	if (c == NULL)
		abort(); /* what is on disk must be known: a start reads it */
	content_unlist(ix, c);
	c->size = size;
	c->file = file;
	c->place = place;
	content_list(ix, c);
}

void
content_sweep(struct content_index *ix,
    void (*dropped)(void *arg, const struct content *), void *arg)
{
	struct content *c;

	while ((c = TAILQ_FIRST(&ix->unnamed)) != NULL) {
		TAILQ_REMOVE(&ix->unnamed, c, in_segment);
		RB_REMOVE(contents, &ix->by_number, c);
		if (dropped != NULL)
			dropped(arg, c);
		free(c);
	}
}
