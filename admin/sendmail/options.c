/*
 * options.c - one row for each option.
 */
#include "admin/sendmail/options.h"

#include <bsd/string.h>
#include <stdio.h>
#include <strings.h>

#define ENVID_MAX 100 /* RFC 3461 section 4.4 */

enum takes {
	NOTHING,
	VALUE, /* the rest of the word, or the next one */
	REST   /* the rest of the word, which may be nothing */
};

struct option {
	char letter;
	enum takes takes;
	int (*set)(struct options *, const char *value); /* NULL: ignored */
};

static int
wrong(struct options *o, const char *what, const char *right)
{
	snprintf(
	    o->error, sizeof o->error, "%s; %s would be right", what, right);
	return -1;
}

/* What is to be part of a command or a header ends no line of it. */
static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == '\x7f')
			return false;
	return true;
}

static int
set_mode(struct options *o, const char *value)
{
	static const struct {
		char letter;
		enum mode mode;
	} modes[] = { { 'm', MODE_SEND }, { 's', MODE_SMTP },
		{ 'v', MODE_VERIFY }, { 'p', MODE_LIST },
		{ 'i', MODE_ALIASES } };

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (value[0] == modes[i].letter && value[1] == '\0') {
			o->mode = modes[i].mode;
			return 0;
		}
	if (value[0] == 'd' || value[0] == 'D')
		return wrong(
		    o, "-bd: sendmail is no server here", "`sallyport run`");
	return wrong(
	    o, "-b: there is no such mode", "-bm, -bs, -bv, -bp or -bi");
}

static int
set_body(struct options *o, const char *value)
{
	o->seven_bit = strcasecmp(value, "7BIT") == 0;
	o->eight_bit = strcasecmp(value, "8BITMIME") == 0;
	if (o->seven_bit || o->eight_bit)
		return 0;
	return wrong(o, "-B: there is no such body type", "7BIT or 8BITMIME");
}

static int
set_conf(struct options *o, const char *value)
{
	o->conf = value;
	return 0;
}

static int
set_name(struct options *o, const char *value)
{
	if (!is_printable(value))
		return wrong(o, "-F: the name has control characters", "text");
	o->name = value;
	return 0;
}

static int
set_sender(struct options *o, const char *value)
{
	if (!is_printable(value))
		return wrong(
		    o, "-f: the sender has control characters", "an address");
	o->sender = value;
	return 0;
}

static int
set_aliases(struct options *o, const char *value)
{
	(void)value;
	o->mode = MODE_ALIASES;
	return 0;
}

static int
set_dots(struct options *o, const char *value)
{
	(void)value;
	o->ignore_dots = true;
	return 0;
}

static int
set_header(struct options *o, const char *value)
{
	(void)value;
	o->from_header = true;
	return 0;
}

static int
set_verbose(struct options *o, const char *value)
{
	(void)value;
	o->verbose = true;
	return 0;
}

/* The old way to set an option of Sendmail. */
static int
set_old(struct options *o, const char *value)
{
	if (strcmp(value, "i") == 0)
		o->ignore_dots = true;
	else if (strcmp(value, "t") == 0)
		o->from_header = true;
	return 0;
}

/* RFC 3461 section 4.1: NEVER stands alone. */
static int
set_notify(struct options *o, const char *value)
{
	static const char *const words[] = { "SUCCESS", "FAILURE", "DELAY" };
	const char *p = value;
	bool known = true;

	o->notify = value;
	if (strcasecmp(value, "NEVER") == 0)
		return 0;
	while (known) {
		size_t n = strcspn(p, ",");

		known = false;
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (n == strlen(words[i]) &&
			    strncasecmp(p, words[i], n) == 0)
				known = true;
		if (known && p[n] == '\0')
			return 0;
		p += n + 1;
	}
	return wrong(o, "-N: there is no such condition",
	    "never, or some of success,failure,delay");
}

static int
set_ret(struct options *o, const char *value)
{
	if (strcasecmp(value, "FULL") == 0)
		o->ret = "FULL";
	else if (strcasecmp(value, "HDRS") == 0)
		o->ret = "HDRS";
	else
		return wrong(
		    o, "-R: no such part can be returned", "full or hdrs");
	return 0;
}

static int
set_envid(struct options *o, const char *value)
{
	for (const char *p = value; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return wrong(o, "-V: the id is not printable ASCII",
			    "letters and digits");
	if (value[0] == '\0' || strlen(value) > ENVID_MAX)
		return wrong(o, "-V: the id is empty or too long",
		    "1 to 100 characters");
	o->envid = value;
	return 0;
}

static int
set_retry(struct options *o, const char *value)
{
	o->mode = MODE_RETRY;
	o->retry = value;
	if (value[0] == '\0' ||
	    (strchr("IRS", value[0]) != NULL && value[1] != '\0'))
		return 0;
	if (strcmp(value, "f") == 0) {
		o->retry = "";
		return 0;
	}
	return wrong(o, "-q: `sallyport run` tries again by itself",
	    "-q, -qI ID, -qR RECIPIENT or -qS SENDER (joined)");
}

/* Of Sendmail, and those that Postfix and others know beside them. */
static const struct option options[] = {
	{ 'A', REST, NULL },
	{ 'B', VALUE, set_body },
	{ 'b', VALUE, set_mode },
	{ 'C', VALUE, set_conf },
	{ 'D', VALUE, NULL },
	{ 'd', REST, NULL },
	{ 'E', NOTHING, NULL },
	{ 'e', VALUE, NULL },
	{ 'F', VALUE, set_name },
	{ 'f', VALUE, set_sender },
	{ 'G', NOTHING, NULL },
	{ 'h', VALUE, NULL },
	{ 'I', NOTHING, set_aliases },
	{ 'i', NOTHING, set_dots },
	{ 'L', VALUE, NULL },
	{ 'm', NOTHING, NULL },
	{ 'N', VALUE, set_notify },
	{ 'n', NOTHING, NULL },
	{ 'O', VALUE, NULL },
	{ 'o', VALUE, set_old },
	{ 'p', VALUE, NULL },
	{ 'q', REST, set_retry },
	{ 'R', VALUE, set_ret },
	{ 'r', VALUE, set_sender },
	{ 's', NOTHING, NULL },
	{ 'T', VALUE, NULL },
	{ 't', NOTHING, set_header },
	{ 'U', NOTHING, NULL },
	{ 'V', VALUE, set_envid },
	{ 'v', NOTHING, set_verbose },
	{ 'X', VALUE, NULL },
	{ 'x', NOTHING, NULL },
};

static const struct option *
find(char letter)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (options[i].letter == letter)
			return &options[i];
	return NULL;
}

/* The letters of one word; *i is its place in argv, moved over a value. */
static int
take_word(struct options *o, int argc, char **argv, int *i)
{
	for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
		const struct option *opt = find(*p);
		const char *value = NULL;

		if (opt == NULL) {
			snprintf(o->error, sizeof o->error,
			    "there is no option -%c; `--` before addresses "
			    "would be right",
			    *p >= ' ' && *p <= '~' ? *p : '?');
			return -1;
		}
		if (opt->takes == REST || (opt->takes == VALUE && p[1] != '\0'))
			value = p + 1;
		else if (opt->takes == VALUE && ++*i < argc)
			value = argv[*i];
		else if (opt->takes == VALUE) {
			snprintf(o->error, sizeof o->error,
			    "-%c needs a value behind it", *p);
			return -1;
		}
		if (opt->set != NULL && opt->set(o, value) == -1)
			return -1;
		if (value != NULL)
			break;
	}
	return 0;
}

static enum mode
mode_of(const char *program)
{
	const char *slash = strrchr(program, '/');

	if (slash != NULL)
		program = slash + 1;
	if (strcmp(program, "mailq") == 0)
		return MODE_LIST;
	if (strcmp(program, "newaliases") == 0)
		return MODE_ALIASES;
	return MODE_SEND;
}

int
options_parse(struct options *o, int argc, char **argv)
{
	bool ended = false;

	*o = (struct options){ .mode = MODE_SEND, .words = argv };
	if (argc > 0)
		o->mode = mode_of(argv[0]);
	for (int i = 1; i < argc; i++) {
		if (!ended && strcmp(argv[i], "--") == 0)
			ended = true;
		else if (!ended && argv[i][0] == '-' && argv[i][1] != '\0') {
			if (take_word(o, argc, argv, &i) == -1)
				return -1;
		} else
			/* Its place was read before. */
			argv[o->nwords++] = argv[i];
	}
	return 0;
}
