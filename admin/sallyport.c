/*
 * sallyport.c - the command of administrators: one word, then its own words.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin.h"

static const struct verb {
	const char *name;
	int (*run)(struct admin *);
	const char *words, *says;
} verbs[] = {
	{ "run", verb_run, "", "run the mail system in the foreground" },
	{ "check", verb_check, "", "read the configuration as run would" },
	{ "config", verb_config, "[--json]",
	    "every setting in force and where it was set" },
	{ "status", verb_status, "[--json]",
	    "the processes of the running service" },
	{ "reload", verb_reload, "",
	    "have the running service take its configuration anew" },
	{ "stop", verb_stop, "", "end the running service" },
	{ "queue", verb_queue,
	    "list|count|show|cat|hold|release|retry|delete|bounce [-n] "
	    "[--json] "
	    "[--reason TEXT] [SELECTOR...]",
	    "look at the queue, and change it" },
	{ "spool", verb_spool, "verify | export DIR | import DIR",
	    "the spool of a service that does not run" },
	{ "trace", verb_trace, "[--json] ID", "what happened to a message" },
	{ "reply", verb_reply, "[--json] [NAME|CODE]",
	    "what a reply means: its cause and remedy" },
};

static const char *current = "";

_Noreturn void
usage(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "sallyport %s: ", current);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_USAGE);
}

_Noreturn void
refuse(int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "sallyport %s: ", current);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static _Noreturn void
help(FILE *to, int status)
{
	fputs("usage: sallyport VERB [-c FILE] ...\n", to);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		fprintf(to, "    %s%s%s\n            %s\n", verbs[i].name,
		    verbs[i].words[0] != '\0' ? " " : "", verbs[i].words,
		    verbs[i].says);
	fputs("A selector is a field and a value; all must match:\n"
	      "    id= from= to= domain= age>2h (older=2h) size>1M (larger=1M) "
	      "code= route= "
	      "state=active|deferred|held\n"
	      "Quote age>2h and size>1M, or the shell takes the >.\n"
	      "Verbs that change something need a selector, or the word all.\n",
	    to);
	exit(status);
}

int
main(int argc, char **argv)
{
	struct admin a = { .conf_file = CONF_FILE };

	if (argc < 2)
		help(stderr, EXIT_USAGE);
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0)
		help(stdout, EXIT_DONE);
	current = argv[1];
	a.argc = argc - 2;
	a.argv = argv + 2;
	if (a.argc > 0 && strcmp(a.argv[0], "-c") == 0) {
		if (a.argc < 2)
			usage("-c needs the name of a configuration file");
		a.conf_file = a.argv[1];
		a.named_conf = true;
		a.argc -= 2;
		a.argv += 2;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		int status;

		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		status = verbs[i].run(&a);
		admin_close(&a);
		return status;
	}
	fprintf(stderr, "sallyport: there is no verb %s\n", argv[1]);
	help(stderr, EXIT_USAGE);
}
