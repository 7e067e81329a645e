/*
 * text.c - see text.h.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/conf/text.h"

/* What stood before, as far as it changes what an opening brace means. */
enum token { TOKEN_OTHER, TOKEN_EQUALS, TOKEN_LIST };

struct scan {
	struct text *text;
	struct problems *problems;
	struct span in;
	size_t at;
	unsigned line;
	enum token last;
	unsigned section; /* the line of the one that is open, or 0 */
	bool list;	  /* is open */
	bool full;	  /* no memory */
};

static int
read_all(int fd, struct buf *b)
{
	for (;;) {
		char *room = buf_reserve(b, 64 * 1024);
		ssize_t n;

		if (room == NULL)
			return -1;
		n = read(fd, room, 64 * 1024);
		if (n == 0)
			return 0;
		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0)
			b->n += (size_t)n;
	}
}

/* The kind of file it is, or NULL for a regular one. */
static const char *
not_a_file(mode_t mode)
{
	if (S_ISDIR(mode))
		return "is a directory";
	return S_ISREG(mode) ? NULL : "is not a regular file";
}

int
text_read(struct buf *b, const char *path, struct problems *problems)
{
	/* O_NONBLOCK: a FIFO must not hold us before it is refused. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int rc = -1;

	if (fd == -1 || fstat(fd, &st) == -1) {
		problems_add(problems, 0, "cannot be opened: %s",
		    strerrordesc_np(errno));
		goto out;
	}
	if (not_a_file(st.st_mode) != NULL) {
		problems_add(problems, 0, "%s; a text file would be right",
		    not_a_file(st.st_mode));
		goto out;
	}
	if (st.st_size > TEXT_FILE_MAX) {
		problems_add(problems, 0,
		    "has %lld bytes; at most 16M would be right",
		    (long long)st.st_size);
		goto out;
	}
	if (read_all(fd, b) == -1) {
		problems_add(
		    problems, 0, "cannot be read: %s", strerrordesc_np(errno));
		goto out;
	}
	rc = 0;
out:
	if (fd != -1)
		close(fd);
	return rc;
}

static void
emit(struct scan *s, char c)
{
	if (buf_add(&s->text->plain, &c, 1) == -1)
		s->full = true;
}

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/* What follows in the line is seldom worth a second error. */
static void
skip_line(struct scan *s)
{
	while (s->at < s->in.n && s->in.p[s->at] != '\n')
		s->at++;
}

static void
unexpected(struct scan *s, unsigned char c)
{
	skip_line(s);
	if (c > ' ' && c < 127)
		problems_add(s->problems, s->line,
		    "unexpected character \"%c\"; in a value, double quotes "
		    "around the value would be right",
		    c);
	else
		problems_add(s->problems, s->line,
		    "unexpected byte 0x%02x; plain text would be right", c);
}

/* One character of a string, behind its opening quote.  False: it is over. */
static bool
string_character(struct scan *s)
{
	char c = s->in.p[s->at++];

	if (c == '"') {
		emit(s, c);
		return false;
	}
	if ((unsigned char)c < ' ' || c == 127) {
		unexpected(s, (unsigned char)c);
		return false;
	}
	if (c == '\\') {
		char next = s->at < s->in.n ? s->in.p[s->at] : '\0';

		if (next != '"' && next != '\\') {
			problems_add(s->problems, s->line,
			    "unknown escape in a string; only \\\" and \\\\ "
			    "would be right");
			skip_line(s);
			return false;
		}
		emit(s, c);
		emit(s, next);
		s->at++;
		return true;
	}
	/* `$` is no variable: libconfuse leaves an escaped one alone. */
	if (c == '$')
		emit(s, '\\');
	emit(s, c);
	return true;
}

static void
string(struct scan *s)
{
	unsigned line = s->line;

	emit(s, s->in.p[s->at++]);
	while (s->at < s->in.n && s->in.p[s->at] != '\n')
		if (!string_character(s))
			return;
	problems_add(s->problems, line,
	    "the string is not closed; a \" at its end on the same line would "
	    "be right");
}

static void
open_brace(struct scan *s)
{
	struct text *t = s->text;
	unsigned *grown;

	emit(s, '{');
	if (s->last == TOKEN_EQUALS) {
		s->last = TOKEN_LIST;
		s->list = true;
		return;
	}
	s->last = TOKEN_OTHER;
	s->section = s->line;
	grown = reallocarray(t->sections, t->nsections + 1, sizeof *grown);
	if (grown == NULL) {
		s->full = true;
		return;
	}
	t->sections = grown;
	t->sections[t->nsections++] = s->line;
}

static void
close_brace(struct scan *s)
{
	/* libconfuse tells nobody of an empty list; this one has a single empty
	 * element, which means the same. */
	if (s->last == TOKEN_LIST) {
		emit(s, '"');
		emit(s, '"');
	}
	emit(s, '}');
	s->last = TOKEN_OTHER;
	if (!s->list)
		s->section = 0;
	s->list = false;
}

static void
blank(struct scan *s, char c)
{
	if (c == '#') {
		while (s->at < s->in.n && s->in.p[s->at] != '\n')
			if (s->in.p[s->at++] == '\0')
				unexpected(s, 0);
		return;
	}
	s->at++;
	emit(s, c == '\n' ? '\n' : ' ');
	s->line += c == '\n';
}

static void
token(struct scan *s, char c)
{
	if (c == '{' || c == '}') {
		s->at++;
		if (c == '{')
			open_brace(s);
		else
			close_brace(s);
		return;
	}
	s->last = c == '=' ? TOKEN_EQUALS : TOKEN_OTHER;
	if (c == '"') {
		string(s);
		return;
	}
	s->at++;
	if (c == '=' || c == ',' || is_word(c))
		emit(s, c);
	else
		unexpected(s, (unsigned char)c);
}

int
text_plain(struct text *t, struct span file, struct problems *problems)
{
	struct scan s = { t, problems, file, 0, 1, TOKEN_OTHER, 0, false,
		false };
	size_t before = problems->n;

	memset(t, 0, sizeof *t);
	/* Each byte becomes at most two, and an empty list has two more. */
	buf_init(&t->plain, 2 * (size_t)TEXT_FILE_MAX + 1);
	while (s.at < file.n && !s.full) {
		char c = file.p[s.at];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '#')
			blank(&s, c);
		else
			token(&s, c);
	}
	emit(&s, '\0');
	/* libconfuse takes the end of the file for a closing brace. */
	if (s.section != 0)
		problems_add(problems, s.section,
		    "the \"{\" is not closed; a \"}\" behind its settings "
		    "would "
		    "be right");
	if (s.full)
		problems_add(problems, 0, "cannot be read: out of memory");
	return problems->n == before ? 0 : -1;
}

void
text_fini(struct text *t)
{
	buf_fini(&t->plain);
	free(t->sections);
	t->sections = NULL;
	t->nsections = 0;
}
