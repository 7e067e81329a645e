/*
 * queue.c - mailq, -q and newaliases: what `sallyport` does.
 */
#include <stdio.h>

#include "admin/programs.h"
#include "admin/sendmail/sendmail.h"

int
list_queue(const struct options *o)
{
	static const char *const words[] = { "list", NULL };

	return service_command(o, words);
}

int
retry_queue(const struct options *o)
{
	char selector[512] = "all";
	const char *const words[] = { "retry", selector, NULL };

	if (o->retry[0] == 'I')
		snprintf(selector, sizeof selector, "id=%s", o->retry + 1);
	else if (o->retry[0] == 'R')
		snprintf(selector, sizeof selector, "to=*%s*", o->retry + 1);
	else if (o->retry[0] == 'S')
		snprintf(selector, sizeof selector, "from=*%s*", o->retry + 1);
	return service_command(o, words);
}

void
check_aliases(const struct options *o)
{
	const char *argv[] = { "sallyport", "check", "-c", o->conf, NULL };

	if (o->conf == NULL)
		argv[2] = NULL;
	puts("Aliases are read as they are, when they change: nothing need be "
	     "run.");
	fflush(stdout);
	program_exec("sallyport", argv);
}
