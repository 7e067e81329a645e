/*
 * state_rows.c - what the index knows of a message's recipients, as the rows of
 * a MESSAGE: for summaries and for reclaim's copies.
 */
#include <stdlib.h>

#include "common/mail/address.h"
#include "queue/store_state.h"

void
state_rows_init(struct state_rows *rows)
{
	*rows = (struct state_rows){ .row = NULL };
	buf_init(&rows->addresses, UINT32_MAX / 2);
}

void
state_rows_fini(struct state_rows *rows)
{
	free(rows->row);
	buf_fini(&rows->addresses);
}

int
state_rows_fill(struct state_rows *rows, const struct message *m)
{
	struct record_rcpt *grown;
	char *at;

	if (m->nrcpts > rows->cap) {
		grown = reallocarray(rows->row, m->nrcpts, sizeof *grown);
		if (grown == NULL)
			return -1;
		rows->row = grown;
		rows->cap = m->nrcpts;
	}
	buf_clear(&rows->addresses);
	/* All the room at once, so that no address moves. */
	at = buf_reserve(
	    &rows->addresses, (size_t)m->nrcpts * (ADDRESS_MAX + 1));
	if (at == NULL)
		return -1;
	for (uint32_t i = 0; i < m->nrcpts; i++) {
		const struct recipient *r = &m->rcpts[i];
		size_t n = index_address(r, at, ADDRESS_MAX + 1);

		rows->row[i] = (struct record_rcpt){
			.index = i,
			.address = span_from(at, n),
			.state = r->state,
			.held = r->held,
			.attempts = r->attempts,
			.next = r->next,
			.reply = { .code = r->code },
			.host = SPAN(""),
		};
		at += n + 1;
	}
	return 0;
}
