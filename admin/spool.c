/*
 * spool.c - `sallyport spool`: the spool of a service that does not run is
 * checked, written out, or filled, by the program `spool`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin.h"

int
verb_spool(struct admin *a)
{
	static char segment[24], history[24], size[24], spool[CONF_PATH_MAX];
	const char *argv[] = { "spool", NULL, spool, segment, history, size,
		NULL, NULL };
	bool verify = a->argc > 0 && strcmp(a->argv[0], "verify") == 0;

	if (a->argc == 0 ||
	    (!verify && strcmp(a->argv[0], "export") != 0 &&
		strcmp(a->argv[0], "import") != 0))
		usage("verify, export DIR or import DIR?");
	if (verify && a->argc != 1)
		usage("verify: no further word is needed");
	if (!verify && a->argc != 2)
		usage("%s needs one directory", a->argv[0]);
	a->conf = program_conf(a->conf_file);
	if (a->conf == NULL)
		exit(EXIT_REFUSED);
	snprintf(spool, sizeof spool, "%s", a->conf->spool);
	snprintf(segment, sizeof segment, "%" PRIu64, a->conf->segment_size);
	snprintf(history, sizeof history, "%" PRIu32, a->conf->history);
	snprintf(size, sizeof size, "%" PRIu64, a->conf->history_size);
	argv[1] = a->argv[0];
	argv[6] = verify ? NULL : a->argv[1];
	program_exec("spool", argv);
}
