/*
 * pairs.c - prints the table of commands and codes, for tests that are not C:
 * command, code, and who added it, separated by tabs.
 */
#include <stdio.h>

#include "common/mail/reply.h"

int
main(void)
{
	size_t n;
	const struct reply_pair *pairs = reply_pairs(&n);

	for (size_t i = 0; i < n; i++)
		printf("%s\t%u\t%s\n", reply_command_name(pairs[i].command),
		    pairs[i].code, pairs[i].rfc != NULL ? pairs[i].rfc : "seed");
	return n == 0;
}
