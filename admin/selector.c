/*
 * selector.c - selectors from a command line: `from=*@a.example`, `age>2h`.
 */
#include <ctype.h>
#include <stdlib.h>

#include "admin/admin.h"
#include "common/bytes/id.h"

static const struct field {
	const char *name;
	enum select_field field;
	enum select_op is; /* what '=' means */
} fields[] = {
	{ "id", SELECT_ID, SELECT_IS },
	{ "from", SELECT_FROM, SELECT_IS },
	{ "to", SELECT_TO, SELECT_IS },
	{ "domain", SELECT_DOMAIN, SELECT_IS },
	{ "age", SELECT_AGE, SELECT_IS },
	{ "older", SELECT_AGE, SELECT_ABOVE },
	{ "size", SELECT_SIZE, SELECT_IS },
	{ "larger", SELECT_SIZE, SELECT_ABOVE },
	{ "code", SELECT_CODE, SELECT_IS },
	{ "state", SELECT_STATE, SELECT_IS },
	{ "route", SELECT_ROUTE, SELECT_IS },
};

static const char *const states[STATE_END] = { "active", "deferred", "held" };

const char *
state_name(enum select_state s)
{
	return s < STATE_END ? states[s] : "?";
}

/* "2h", "10", "5M": a number and a letter of `units`, each `scale` of which
 * is what one of it means. */
static bool
number(
    const char *text, const char *units, const uint64_t *scale, uint64_t *out)
{
	struct span s = span_of(text);
	uint64_t n, factor = 1;
	const char *unit;

	if (s.n > 1 && !isdigit((unsigned char)text[s.n - 1])) {
		unit = strchr(units, text[s.n - 1]);
		if (unit == NULL)
			return false;
		factor = scale[unit - units];
		s.n--;
	}
	if (!span_number(s, UINT64_MAX / factor, &n))
		return false;
	*out = n * factor;
	return true;
}

static void
number_term(struct select_term *t, const char *word, const char *value)
{
	static const uint64_t times[] = { 1, 60, 3600, 86400 };
	static const uint64_t sizes[] = { 1 << 10, 1 << 20, 1 << 30 };

	if (t->field == SELECT_AGE) {
		if (!number(value, "smhd", times, &t->number))
			usage("%s: a time is a number and s, m, h or d, as in "
			      "age>2h",
			    word);
	} else if (!number(value, "KMG", sizes, &t->number))
		usage("%s: a size is a number and K, M, G or nothing, as in "
		      "size>1M",
		    word);
	if (t->op == SELECT_IS && t->field == SELECT_AGE)
		usage("%s: say age>TIME, age<TIME or older=TIME", word);
	if (t->op == SELECT_IS)
		usage("%s: say size>SIZE, size<SIZE or larger=SIZE", word);
}

static void
text_term(struct select_term *t, const char *word, const char *value)
{
	size_t n = strlen(value);

	if (n > SELECT_TEXT_MAX)
		usage("%s: at most %d characters", word, SELECT_TEXT_MAX);
	if (t->op != SELECT_IS)
		usage(
		    "%s: only age and size can be compared with < and >", word);
	for (size_t i = 0; i <= n; i++)
		t->text[i] = (char)tolower((unsigned char)value[i]);
	if (t->field != SELECT_STATE)
		return;
	for (t->number = 0; t->number < STATE_END; t->number++)
		if (strcmp(t->text, states[t->number]) == 0)
			return;
	usage("%s: a state is active, deferred or held", word);
}

static void
term_parse(struct select_term *t, const char *word)
{
	size_t n = strcspn(word, "=<>");
	uint64_t id;

	memset(t, 0, sizeof *t);
	if (word[n] == '\0' && id_parse(span_of(word), &id)) {
		memcpy(t->text, word, n + 1);
		return; /* a bare queue id: SELECT_ID, SELECT_IS */
	}
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (strlen(fields[i].name) != n ||
		    strncmp(word, fields[i].name, n) != 0)
			continue;
		if (word[n] == '\0')
			usage("%s needs an operator and a value; if you wrote "
			      "%s>2h, "
			      "quote it: the shell took the >",
			    word, word);
		t->field = fields[i].field;
		t->op = word[n] == '=' ? fields[i].is
		    : word[n] == '>'   ? SELECT_ABOVE
				       : SELECT_BELOW;
		if (t->field == SELECT_AGE || t->field == SELECT_SIZE)
			number_term(t, word, word + n + 1);
		else
			text_term(t, word, word + n + 1);
		return;
	}
	usage("%s is no selector: id= from= to= domain= age> older= size> "
	      "larger= "
	      "code= state= route=",
	    word);
}

void
selector_parse(struct select *s, int argc, char **argv)
{
	memset(s, 0, sizeof *s);
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "all") == 0)
			continue;
		if (s->n == SELECT_TERMS_MAX)
			usage("at most %d selectors", SELECT_TERMS_MAX);
		term_parse(&s->t[s->n++], argv[i]);
	}
}
