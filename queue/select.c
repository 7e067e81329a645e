/*
 * select.c - see select.h.
 */
#include <stdio.h>
#include <string.h>

#include "common/bytes/id.h"
#include "queue/select.h"

#define ESC_TEXT_MAX 16

bool
select_glob(struct span pattern, struct span text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, from = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.n &&
		    ascii_lower(pattern.p[p]) == ascii_lower(text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			/* The last star takes one octet more. */
			p = star + 1;
			t = ++from;
		} else
			return false;
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static bool
number(const struct select_term *t, uint64_t value)
{
	switch (t->op) {
	case SELECT_ABOVE:
		return value > t->number;
	case SELECT_BELOW:
		return value < t->number;
	default:
		return value == t->number;
	}
}

static bool
is_enhanced(const struct select_term *t)
{
	return t->field == SELECT_CODE && strchr(t->text, '.') != NULL;
}

static bool
code(const struct select_term *t, const struct select_subject *s)
{
	char text[ESC_TEXT_MAX];

	if (s->code == 0)
		return false;
	if (!is_enhanced(t))
		snprintf(text, sizeof text, "%u", s->code);
	else if (s->esc.class == 0)
		return false;
	else
		snprintf(text, sizeof text, "%u.%u.%u", s->esc.class,
		    s->esc.subject, s->esc.detail);
	return select_glob(span_of(t->text), span_of(text));
}

static bool
term(const struct select_term *t, const struct select_subject *s)
{
	struct span pattern = span_of(t->text);
	char id[ID_LEN + 1];

	switch (t->field) {
	case SELECT_ID:
		id_format(id, s->id);
		return select_glob(pattern, span_of(id));
	case SELECT_FROM:
		/* The null reverse-path as it is written. */
		if (s->sender.n == 0 && strcmp(t->text, "<>") == 0)
			return true;
		return select_glob(pattern, s->sender);
	case SELECT_TO:
		return select_glob(pattern, s->rcpt);
	case SELECT_DOMAIN:
		return select_glob(pattern, s->domain);
	case SELECT_AGE:
		return number(t, s->age);
	case SELECT_SIZE:
		return number(t, s->size);
	case SELECT_CODE:
		return code(t, s);
	case SELECT_STATE:
		return number(t, s->state);
	case SELECT_ROUTE:
		return s->route.n > 0 &&
		    (select_glob(pattern, s->route) ||
			select_glob(pattern, s->hop));
	case SELECT_FIELD_END:
		break;
	}
	return false;
}

bool
select_match(const struct select *select, const struct select_subject *s)
{
	for (uint32_t i = 0; i < select->n; i++)
		if (!term(&select->t[i], s))
			return false;
	return true;
}

bool
select_wants_esc(const struct select *select)
{
	for (uint32_t i = 0; i < select->n; i++)
		if (is_enhanced(&select->t[i]))
			return true;
	return false;
}

bool
select_wants_route(const struct select *select)
{
	for (uint32_t i = 0; i < select->n; i++)
		if (select->t[i].field == SELECT_ROUTE)
			return true;
	return false;
}

uint64_t
select_id(const struct select *select)
{
	uint64_t id;

	for (uint32_t i = 0; i < select->n; i++)
		if (select->t[i].field == SELECT_ID &&
		    id_parse(span_of(select->t[i].text), &id))
			return id;
	return 0;
}
