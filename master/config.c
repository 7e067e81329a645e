/*
 * config.c - the program that reads the configuration.
 *
 *   config -c FILE [-o FD]
 *
 * Checks FILE and prints what is wrong with it, one `FILE:LINE: what is wrong;
 * what would be right` a line, exit status 1; or, with -o, writes it to a
 * descriptor in the encoding of conf.h.  A process of its own, so that neither
 * master nor any other ever holds the parser.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/conf/load.h"

static int
usage(void)
{
	fputs("usage: config -c FILE [-o FD]\n", stderr);
	return 2;
}

static int
write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0)
			s = span_skip(s, (size_t)n);
	}
	return 0;
}

static int
write_conf(const struct conf *c, const char *file, int fd)
{
	char *p = malloc(CONF_BLOB_MAX);
	struct wire_put w = wire_writer(p, p != NULL ? CONF_BLOB_MAX : 0);
	int rc = 1;

	conf_put(&w, c);
	if (w.bad)
		fprintf(stderr,
		    "%s: is too large; fewer statements would be "
		    "right\n",
		    file);
	else if (write_all(fd, span_from(p, w.n)) == -1)
		fprintf(stderr, "%s: cannot be passed on: %s\n", file,
		    strerrordesc_np(errno));
	else
		rc = 0;
	free(p);
	return rc;
}

int
main(int argc, char **argv)
{
	static struct problems problems;
	static struct conf conf;
	const char *file = NULL;
	uint64_t fd = 0;
	bool output = false;
	int option, rc = 1;

	while ((option = getopt(argc, argv, "c:o:")) != -1) {
		if (option == 'c')
			file = optarg;
		else if (option == 'o' &&
		    span_number(span_of(optarg), INT32_MAX, &fd))
			output = true;
		else
			return usage();
	}
	if (file == NULL || optind != argc)
		return usage();
	if (load_file(&conf, file, &problems) == 0)
		rc = output ? write_conf(&conf, file, (int)fd) : 0;
	problems_print(&problems, file, stderr);
	problems_fini(&problems);
	conf_free(&conf);
	return rc;
}
