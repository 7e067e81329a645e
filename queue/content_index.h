/*
 * content_index.h - where each content lies, and how many messages name it.
 *
 * One that is named stands in the list of its segment, one that is not in
 * `unnamed`, one that is named and nowhere to be found in none.
 */
#ifndef CONTENT_INDEX_H
#define CONTENT_INDEX_H

#include "queue/index.h"

RB_HEAD(contents, content);

struct content_index {
	struct contents by_number;
	TAILQ_HEAD(, content) unnamed; /* refs is 0 */
};

void content_index_init(struct content_index *);
struct content *content_find(struct content_index *, uint64_t number);
/* Made (nowhere as yet) if there is none.  NULL: no memory. */
struct content *content_make(
    struct content_index *, uint64_t number, uint64_t size);
void content_refer(struct content_index *, struct content *, int by);
void content_move(struct content_index *, uint64_t number, uint64_t size,
    bool file, struct place);
void content_sweep(struct content_index *,
    void (*dropped)(void *arg, const struct content *), void *arg);

#endif
