/*
 * sandbox.c - the files and system calls of lookup.
 *
 * It answers questions of those who talk to strangers.  It reads the
 * directories that tables are in (not just the files, which are replaced by
 * renaming), and has no socket, no connect, no exec, and no way to write a
 * file.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <seccomp.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "lookup/sandbox.h"

static const struct confine_call calls[] = {
	{ .nr = SCMP_SYS(openat),
	    .why = "table_file.c: look",
	    .check = true,
	    .arg = 2,
	    .mask = O_ACCMODE | O_CREAT | O_TRUNC,
	    .value = O_RDONLY },
	{ .nr = SCMP_SYS(rseq), .why = "a thread that is not yet running" },
	{ .nr = SCMP_SYS(set_robust_list), .why = "the same" },
	{ .nr = SCMP_SYS(recvfrom), .why = "account.c: answers" },
	{ .nr = SCMP_SYS(sendto), .why = "account.c: questions" },
};

static bool
is_listed(const struct confine_dir *dirs, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(dirs[i].path, path) == 0)
			return true;
	return false;
}

/* The directory of a file; NULL if there is none, and then there is no
 * file to read in it either, which is reported when it is asked for. */
static char *
directory_of(const char *file)
{
	char copy[CONF_PATH_MAX];
	struct stat st;
	char *dir;

	if (!span_copy(copy, sizeof copy, span_of(file)))
		return NULL;
	dir = dirname(copy);
	if (stat(dir, &st) == -1 || !S_ISDIR(st.st_mode))
		return NULL;
	if ((dir = strdup(dir)) == NULL)
		fatal("sandbox");
	return dir;
}

static size_t
add_directory(struct confine_dir *dirs, size_t n, const char *file)
{
	char *dir = directory_of(file);

	if (dir == NULL || is_listed(dirs, n, dir)) {
		free(dir);
		return n;
	}
	dirs[n] = (struct confine_dir){ dir, CONFINE_READ };
	return n + 1;
}

static size_t
add_file(struct confine_dir *dirs, size_t n, const char *file)
{
	char real[PATH_MAX];

	n = add_directory(dirs, n, file);
	/* Where a symbolic link leads. */
	if (realpath(file, real) != NULL)
		n = add_directory(dirs, n, real);
	return n;
}

const struct confine *
lookup_sandbox(const struct conf *conf)
{
	static struct confine limits = {
		.calls = calls,
		.ncalls = sizeof calls / sizeof *calls,
	};
	struct confine_dir *dirs = calloc(6 * conf->ndomains + 1, sizeof *dirs);
	size_t n = 0;

	if (dirs == NULL)
		fatal("sandbox");
	for (size_t i = 0; i < conf->ndomains; i++) {
		const struct conf_domain *d = &conf->domains[i];

		if (d->users == USERS_FILE)
			n = add_file(dirs, n, d->users_file);
		if (d->moved_file[0] != '\0')
			n = add_file(dirs, n, d->moved_file);
		if (d->aliases[0] != '\0')
			n = add_file(dirs, n, d->aliases);
	}
	limits.dirs = dirs;
	limits.ndirs = n;
	return &limits;
}
