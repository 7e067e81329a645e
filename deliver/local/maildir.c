/*
 * maildir.c - see maildir.h.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/run/conf.h"
#include "deliver/local/maildir.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static void
close_fd(int *fd)
{
	int saved = errno;

	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static int
fail(struct reply *why, const char *what)
{
	reply_from_errno(why, errno, what);
	return -1;
}

/* A directory on disk; there are file systems that cannot, and say so. */
static int
sync_dir(int dir)
{
	return fsync(dir) == 0 || errno == EINVAL ? 0 : -1;
}

/* --- directories ----------------------------------------------------------- */

/* One step down, never through a symbolic link; the directory is made if it is
 * not there.  A descriptor, or -1 with errno. */
static int
enter(int dir, const char *name)
{
	int fd = openat(dir, name, OPEN_DIR | O_NOFOLLOW);

	if (fd != -1 || errno != ENOENT)
		return fd;
	if (mkdirat(dir, name, 0700) == -1 && errno != EEXIST)
		return -1;
	if (sync_dir(dir) == -1)
		return -1;
	return openat(dir, name, OPEN_DIR | O_NOFOLLOW);
}

/* *dir is replaced by what is below it; closed on failure. */
static int
step(int *dir, struct span name)
{
	char text[NAME_MAX + 1];
	int next = -1;

	if (span_copy(text, sizeof text, name))
		next = enter(*dir, text);
	else
		errno = ENAMETOOLONG;
	close_fd(dir);
	*dir = next;
	return next == -1 ? -1 : 0;
}

static int
walk(int *dir, struct span path)
{
	while (path.n > 0) {
		struct span name = span_cut(&path, '/');

		if (name.n > 0 && step(dir, name) == -1)
			return -1;
	}
	return 0;
}

/* The base is the administrator's: links in its path are followed.  What is
 * missing of one that is no home is made below the part that is there. */
static int
open_base(const struct maildir_base *base)
{
	char there[CONF_PATH_MAX];
	struct span whole = span_of(base->path);
	struct stat st;
	int dir;

	if (base->home)
		return open(base->path, OPEN_DIR);
	if (!span_copy(there, sizeof there, whole)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	while (stat(there, &st) == -1 && errno == ENOENT) {
		char *slash = strrchr(there, '/');

		if (slash == NULL || slash == there)
			return -1;
		*slash = '\0';
	}
	if ((dir = open(there, OPEN_DIR)) == -1 ||
	    walk(&dir, span_skip(whole, strlen(there))) == -1)
		return -1;
	return dir;
}

static int
base_missing(const struct maildir_base *base, struct reply *why)
{
	if (base->home && (errno == ENOENT || errno == ENOTDIR)) {
		reply_make(why, R_NO_HOME, base->path);
		return -1;
	}
	return fail(why, base->path);
}

/* Nobody else can change what is in there, or what it is. */
static int
check_owner(int dir, const char *path, struct reply *why)
{
	struct stat st;

	if (fstat(dir, &st) == -1)
		return fail(why, path);
	if (st.st_uid == geteuid() && (st.st_mode & S_IWOTH) == 0)
		return 0;
	reply_make(why, R_MAILBOX_UNSAFE, path);
	return -1;
}

/* ELOOP and ENOTDIR: a symbolic link, or a file, where a directory should be. */
static int
not_entered(const char *path, struct reply *why)
{
	if (errno != ELOOP && errno != ENOTDIR)
		return fail(why, path);
	reply_make(why, R_MAILBOX_UNSAFE, path);
	return -1;
}

static int
open_parts(struct maildir *m, int dir, const char *path, struct reply *why)
{
	struct {
		const char *name;
		int *fd;
	} parts[] = {
		{ "tmp", &m->tmp },
		{ "new", &m->new },
		{ "cur", &m->cur },
	};

	if (check_owner(dir, path, why) == -1)
		return -1;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		*parts[i].fd = enter(dir, parts[i].name);
		if (*parts[i].fd == -1)
			return not_entered(path, why);
		if (check_owner(*parts[i].fd, path, why) == -1)
			return -1;
	}
	return 0;
}

int
maildir_open(struct maildir *m, const struct maildir_base *base,
    const char *path, struct reply *why)
{
	int dir, rc;

	*m = (struct maildir){ -1, -1, -1 };
	if ((dir = open_base(base)) == -1)
		return base_missing(base, why);
	if (walk(&dir, span_of(path)) == -1)
		return not_entered(path, why);
	rc = open_parts(m, dir, path, why);
	close_fd(&dir);
	if (rc == -1)
		maildir_close(m);
	return rc;
}

void
maildir_close(struct maildir *m)
{
	close_fd(&m->tmp);
	close_fd(&m->new);
	close_fd(&m->cur);
}

/* --- names ----------------------------------------------------------------- */

void
maildir_name(struct maildir_file *f, uint64_t id, uint32_t recipient,
    uint64_t attempt, const char *hostname)
{
	char text[ID_LEN + 1];
	char host[MAILDIR_HOST_MAX + 1];

	id_format(text, id);
	snprintf(host, sizeof host, "%s", hostname);
	/* '/' ends a name, ':' begins the flags. */
	for (char *p = host; *p != '\0'; p++)
		if (*p == '/' || *p == ':')
			*p = '_';
	snprintf(f->name, sizeof f->name, "%llu.I%sR%u.%s",
	    (unsigned long long)(id_time(id) / 1000000), text, recipient, host);
	snprintf(f->tmp, sizeof f->tmp, "%.*s.A%llx", MAILDIR_NAME_MAX - 20,
	    f->name, (unsigned long long)attempt);
	f->fd = -1;
}

/* The name, alone or with what a reader put behind it: flags (":2,S"), or
 * sizes. */
static bool
is_named(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return strncmp(entry, name, n) == 0 &&
	    (entry[n] == '\0' || strchr(":,;", entry[n]) != NULL);
}

static bool
is_attempt(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return strncmp(entry, name, n) == 0 && strncmp(entry + n, ".A", 2) == 0;
}

/* Calls `found` for every entry; 1 as soon as it says so, 0, or -1 with errno. */
static int
each_entry(int dir, const struct maildir_file *f,
    bool (*found)(int, const char *, const struct maildir_file *))
{
	/* An open of its own: the position in a directory is shared by dup. */
	int fd = openat(dir, ".", OPEN_DIR);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;
	int rc = 0, saved;

	if (d == NULL) {
		close_fd(&fd);
		return -1;
	}
	errno = 0;
	while (rc == 0 && (e = readdir(d)) != NULL)
		rc = found(dir, e->d_name, f);
	saved = errno;
	closedir(d);
	errno = saved;
	return rc == 0 && saved != 0 ? -1 : rc;
}

static bool
remove_attempt(int dir, const char *entry, const struct maildir_file *f)
{
	if (is_attempt(entry, f->name))
		unlinkat(dir, entry, 0);
	errno = 0;
	return false;
}

static bool
is_message(int dir, const char *entry, const struct maildir_file *f)
{
	(void)dir;
	return is_named(entry, f->name);
}

int
maildir_has(struct maildir *m, const struct maildir_file *f, struct reply *why)
{
	int rc = each_entry(m->tmp, f, remove_attempt);

	if (rc == 0)
		rc = each_entry(m->new, f, is_message);
	if (rc == 0)
		rc = each_entry(m->cur, f, is_message);
	return rc == -1 ? fail(why, "Maildir") : rc;
}

/* --- one message ----------------------------------------------------------- */

int
maildir_create(struct maildir *m, struct maildir_file *f, struct reply *why)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

	f->fd = openat(m->tmp, f->tmp, flags, 0600);
	if (f->fd == -1 && errno == EEXIST) {
		/* Ours by its name, and nobody's who still runs. */
		unlinkat(m->tmp, f->tmp, 0);
		f->fd = openat(m->tmp, f->tmp, flags, 0600);
	}
	return f->fd == -1 ? fail(why, "tmp") : 0;
}

int
maildir_synced(
    struct maildir *m, struct maildir_file *f, int err, struct reply *why)
{
	int fd = f->fd;

	f->fd = -1;
	if (close(fd) == -1 && err == 0)
		err = errno;
	if (err == 0)
		return 0;
	reply_from_errno(why, err, "tmp");
	maildir_abandon(m, f);
	return -1;
}

/* For file systems whose rename cannot refuse to replace: NFS, older FUSE. */
static int
link_into(struct maildir *m, const struct maildir_file *f)
{
	if (linkat(m->tmp, f->tmp, m->new, f->name, 0) == -1)
		return -1;
	unlinkat(m->tmp, f->tmp, 0);
	return 0;
}

int
maildir_publish(struct maildir *m, struct maildir_file *f, struct reply *why)
{
	int rc = renameat2(m->tmp, f->tmp, m->new, f->name, RENAME_NOREPLACE);

	if (rc == -1 && (errno == EINVAL || errno == ENOSYS))
		rc = link_into(m, f);
	if (rc == 0)
		return 0;
	rc = errno == EEXIST ? 0 : fail(why, "new");
	maildir_abandon(m, f);
	return rc;
}

int
maildir_settled(int err, struct reply *why)
{
	if (err == 0 || err == EINVAL)
		return 0;
	reply_from_errno(why, err, "new");
	return -1;
}

void
maildir_abandon(struct maildir *m, struct maildir_file *f)
{
	close_fd(&f->fd);
	unlinkat(m->tmp, f->tmp, 0);
}

void
maildir_withdraw(struct maildir *m, struct maildir_file *f)
{
	unlinkat(m->new, f->name, 0);
}
