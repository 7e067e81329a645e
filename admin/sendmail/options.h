/*
 * options.h - the command line that every program expects of sendmail.
 *
 * Options as in Sendmail's and Postfix's manual pages: joined or apart, behind
 * addresses too, up to a `--`.  Those that mean nothing here are taken and
 * forgotten.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum mode {
	MODE_SEND,    /* -bm: a message on standard input */
	MODE_SMTP,    /* -bs: SMTP on standard input and output */
	MODE_VERIFY,  /* -bv: is there such an address? */
	MODE_LIST,    /* -bp, mailq */
	MODE_ALIASES, /* -bi, newaliases */
	MODE_RETRY    /* -q */
};

struct options {
	enum mode mode;
	const char *conf;   /* -C; NULL: none named */
	const char *sender; /* -f, -r; NULL: who runs us */
	const char *name;   /* -F; NULL: not given */
	bool from_header;   /* -t */
	bool ignore_dots;   /* -i, -oi: a dot alone is text */
	bool verbose;	    /* -v */
	bool seven_bit;	    /* -B 7BIT */
	bool eight_bit;	    /* -B 8BITMIME */
	const char *notify; /* -N, checked; NULL: not given */
	const char *ret;    /* -R: "FULL" or "HDRS" */
	const char *envid;  /* -V */
	const char *retry;  /* what stands behind -q; "" is nothing */
	char **words;	    /* the addresses, in argv */
	size_t nwords;
	char error[256]; /* what is wrong, and what would be right */
};

/* argv is put in order: words first.  0, or -1 with ->error. */
int options_parse(struct options *, int argc, char **argv);

#endif
