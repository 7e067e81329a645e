/*
 * config.c - the program that reads the configuration.
 *
 *   config -c FILE [-o FD | -p | -j]
 *
 * Checks FILE and prints what is wrong with it, one `FILE:LINE: what is wrong;
 * what would be right` a line, exit status 1; or, with -o, writes it to a
 * descriptor in the encoding of conf.h; or, with -p, prints every setting that
 * is in force and where it was set, with -j as JSON.  A process of its own, so that neither
 * master nor any other ever holds the parser.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/conf/load.h"

enum output { OUTPUT_NONE, OUTPUT_CODED, OUTPUT_TEXT, OUTPUT_JSON };

static int
usage(void)
{
	fputs("usage: config -c FILE [-o FD | -p | -j]\n", stderr);
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

static int
print_record(
    const struct record *record, const struct conf *c, enum output output)
{
	if (record->failed) {
		fprintf(
		    stderr, "%s: cannot be printed: out of memory\n", c->file);
		return 1;
	}
	if (output == OUTPUT_JSON)
		record_print_json(record, c->file, stdout);
	else
		record_print(record, c->file, stdout);
	if (fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "standard output: %s\n", strerrordesc_np(errno));
	return 1;
}

static int
run(const char *file, enum output output, int fd)
{
	static struct problems problems;
	static struct conf conf;
	struct record record = { 0 };
	bool print = output == OUTPUT_TEXT || output == OUTPUT_JSON;
	int rc = 1;

	if (load_file(&conf, file, &problems, print ? &record : NULL) == 0) {
		rc = 0;
		if (output == OUTPUT_CODED)
			rc = write_conf(&conf, file, fd);
		else if (print)
			rc = print_record(&record, &conf, output);
	}
	problems_print(&problems, file, stderr);
	problems_fini(&problems);
	record_fini(&record);
	conf_free(&conf);
	return rc;
}

int
main(int argc, char **argv)
{
	const char *file = NULL;
	enum output output = OUTPUT_NONE;
	uint64_t fd = 0;
	int option;

	while ((option = getopt(argc, argv, "c:o:pj")) != -1) {
		if (option == 'c')
			file = optarg;
		else if (option == '?' || output != OUTPUT_NONE)
			return usage();
		else if (option == 'p')
			output = OUTPUT_TEXT;
		else if (option == 'j')
			output = OUTPUT_JSON;
		else if (span_number(span_of(optarg), INT32_MAX, &fd))
			output = OUTPUT_CODED;
		else
			return usage();
	}
	if (file == NULL || optind != argc)
		return usage();
	return run(file, output, (int)fd);
}
