/*
 * reply.c - the verb `reply`: what a reply of the catalogue means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/admin.h"

static void
enhanced(char dst[16], const struct reply_row *row)
{
	dst[0] = '\0';
	if (row->esc.class != 0)
		snprintf(dst, 16, "%u.%u.%u", row->esc.class, row->esc.subject,
		    row->esc.detail);
}

/* A name, a code, an enhanced code, or the last two of them with a blank. */
static bool
matches(const struct reply_row *row, const char *key)
{
	char code[8], esc[16], both[24];

	snprintf(code, sizeof code, "%u", row->code);
	enhanced(esc, row);
	snprintf(both, sizeof both, "%s %s", code, esc);
	return strcmp(key, row->name) == 0 || strcmp(key, code) == 0 ||
	    strcmp(key, both) == 0 || (esc[0] != '\0' && strcmp(key, esc) == 0);
}

static void
print(enum reply_name name)
{
	const struct reply_row *row = reply_row(name);
	const struct reply_meaning *m = reply_meaning(name);
	char esc[16];

	enhanced(esc, row);
	printf("%s: %u %s%s%s\n    %s\n    cause: %s\n    remedy: %s\n",
	    row->name, row->code, esc, esc[0] != '\0' ? " " : "",
	    reply_text_of(name), row->rfc, m->cause, m->remedy);
}

static json_t *
as_json(enum reply_name name)
{
	const struct reply_row *row = reply_row(name);
	const struct reply_meaning *m = reply_meaning(name);
	char esc[16];

	enhanced(esc, row);
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "name",
	    row->name, "code", (int)row->code, "enhanced", esc, "text",
	    reply_text_of(name), "rfc", row->rfc, "cause", m->cause, "remedy",
	    m->remedy);
}

int
verb_reply(struct admin *a)
{
	bool json = a->argc > 0 && strcmp(a->argv[0], "--json") == 0;
	const char *key = a->argc > json ? a->argv[json] : NULL;
	bool found = false;

	if (a->argc > json + 1)
		usage("one name or code, like relay-denied, 550, 5.7.1 or "
		      "\"550 5.7.1\"");
	/* Its texts are ours where there is one. */
	if (a->named_conf || access(a->conf_file, R_OK) == 0) {
		if ((a->conf = program_conf(a->conf_file)) == NULL)
			return EXIT_REFUSED;
		conf_use_replies(a->conf);
	}
	for (size_t i = 0; i < R_COUNT; i++) {
		enum reply_name name = (enum reply_name)i;

		if (key != NULL && !matches(reply_row(name), key))
			continue;
		found = true;
		if (json)
			print_json(as_json(name));
		else
			print(name);
	}
	if (!found)
		fprintf(stderr, "sallyport reply: none has %s\n", key);
	return found ? EXIT_DONE : EXIT_REFUSED;
}
