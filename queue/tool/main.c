/*
 * main.c - `spool verify|export|import SPOOL SEGMENT_SIZE HISTORY HISTORY_SIZE
 * [DIR]`, started by the command `sallyport spool`.
 *
 * Set up (what needs root: the directories and whose they are), drop, confine;
 * no byte of the spool or of an export is read before.
 */
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/capability.h>
#include <sodium.h>

#include "common/bytes/id.h"
#include "common/run/conf.h"
#include "common/run/confine.h"
#include "common/run/process.h"
#include "queue/tool/tool.h"

/* Seconds of silence. */
#define PROGRESS_AFTER 2

static const struct confine_call calls[] = {
	{ .nr = SCMP_SYS(openat), .why = "segments, contents, messages" },
	{ .nr = SCMP_SYS(pread64), .why = "the same" },
	{ .nr = SCMP_SYS(pwrite64), .why = "the same" },
	{ .nr = SCMP_SYS(fdatasync), .why = "disk.c" },
	{ .nr = SCMP_SYS(fsync), .why = "disk.c" },
	{ .nr = SCMP_SYS(ftruncate), .why = "disk.c" },
	{ .nr = SCMP_SYS(mkdirat), .why = "a new spool: spool.c" },
	{ .nr = SCMP_SYS(renameat), .why = "disk.c" },
	{ .nr = SCMP_SYS(renameat2), .why = "disk.c, where renameat is it" },
	{ .nr = SCMP_SYS(unlinkat), .why = "disk.c" },
	{ .nr = SCMP_SYS(flock), .why = "spool/lock: spool.c" },
	{ .nr = SCMP_SYS(clock_nanosleep), .why = "waiting for it" },
	{ .nr = SCMP_SYS(getdents64), .why = "log, content, history" },
	{ .nr = SCMP_SYS(newfstatat), .why = "sizes" },
	{ .nr = SCMP_SYS(fstatfs), .why = "free space: admission.c" },
	{ .nr = SCMP_SYS(memfd_create), .why = "contents: fetch.c" },
	{ .nr = SCMP_SYS(eventfd2), .why = "worker.c" },
	{ .nr = SCMP_SYS(clone), .why = "the store's threads" },
	{ .nr = SCMP_SYS(clone3), .why = "the same" },
	{ .nr = SCMP_SYS(rseq), .why = "a thread that is not yet running" },
	{ .nr = SCMP_SYS(set_robust_list), .why = "the same" },
};

void
tool_complain(struct tool *t, uint64_t id, const char *fmt, ...)
{
	char text[ID_LEN + 1];
	va_list ap;

	id_format(text, id);
	printf("%s: ", text);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	t->failed++;
}

void
tool_progress(struct tool *t)
{
	time_t now = time(NULL);

	if (!t->tty || now < t->began + PROGRESS_AFTER || now == t->told)
		return;
	t->told = now;
	fprintf(stderr, "\r%lu messages so far ",
	    (unsigned long)(t->done + t->skipped));
}

/* ---- set-up ------------------------------------------------------------------ */

static bool
is_empty(int fd)
{
	DIR *dir = fdopendir(dup(fd));
	struct dirent *e;
	bool empty = dir != NULL;

	while (empty && (e = readdir(dir)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    strcmp(e->d_name, "lost+found") == 0;
	if (dir != NULL)
		closedir(dir);
	return empty;
}

/* Whom we become, where we are root. */
struct owner {
	bool root;
	char name[CONF_USER_MAX + 1];
	uid_t uid;
	gid_t gid, control;
};

/* A directory to write to: made where it is missing, and its user's where
 * it is root's and empty. */
static void
claim(
    const char *path, const struct owner *o, gid_t gid, mode_t mode, int follow)
{
	struct stat st;
	int fd;

	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		err(1, "%s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow);
	if (fd == -1 || fstat(fd, &st) == -1)
		err(1, "%s", path);
	if (o->root && st.st_uid != o->uid) {
		if (st.st_uid != 0 || !is_empty(fd))
			errx(1, "%s: it must be empty, or belong to %s", path,
			    o->name);
		if (fchown(fd, o->uid, gid) == -1 || fchmod(fd, mode) == -1)
			err(1, "%s", path);
	}
	close(fd);
}

/* As master makes them: the history is read by control. */
static void
claim_spool(const char *spool, const struct owner *o)
{
	char path[CONF_PATH_MAX + 16];

	claim(spool, o, o->gid, 0711, 0);
	snprintf(path, sizeof path, "%s/history", spool);
	/* Its user may have been broken into. */
	claim(path, o, o->control, 02750, O_NOFOLLOW);
}

static const struct passwd *
user(const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		errx(1,
		    "user %s is missing: systemd-sysusers "
		    "etc/sysusers.d/sallyport.conf makes it",
		    name);
	return pw;
}

/* Who the spool belongs to, where it is not root's: of a service that was not
 * started as root. */
static void
find_owner(const char *spool, struct owner *o)
{
	const struct passwd *pw = NULL;
	struct stat st;

	*o = (struct owner){ .root = geteuid() == 0 };
	if (!o->root)
		return;
	if (stat(spool, &st) == 0 && st.st_uid != 0 &&
	    (pw = getpwuid(st.st_uid)) == NULL)
		errx(1, "%s: its owner is no user of this system", spool);
	if (pw == NULL)
		pw = user(process_user(PEER_QUEUE));
	o->uid = pw->pw_uid;
	o->gid = o->control = pw->pw_gid;
	snprintf(o->name, sizeof o->name, "%s", pw->pw_name);
	if (strcmp(o->name, process_user(PEER_QUEUE)) == 0)
		o->control = user(process_user(PEER_CONTROL))->pw_gid;
}

/* The queue waits for the lock for ten seconds; nobody wants to here. */
static void
not_in_use(const char *spool)
{
	char path[4096 + 8];
	int fd;

	snprintf(path, sizeof path, "%s/lock", spool);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1 && errno == ENOENT)
		return;
	if (fd == -1)
		err(1, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		errx(1,
		    "%s: a service runs on this spool; `sallyport stop' "
		    "ends it",
		    spool);
	close(fd);
}

static void
confine(const struct owner *o, const char *spool, bool writes, int dir,
    bool dir_writes)
{
	const struct confine_dir dirs[] = {
		{ spool, writes ? CONFINE_WRITE : CONFINE_READ },
		/* We stand in it: nothing above it has to be entered. */
		{ ".", dir_writes ? CONFINE_WRITE : CONFINE_READ },
	};
	const struct confine c = {
		/* An export that was carried here may be anybody's. */
		.caps = o->root && dir != -1 && !dir_writes
		    ? UINT64_C(1) << CAP_DAC_READ_SEARCH
		    : 0,
		.dirs = dirs,
		.ndirs = dir != -1 ? 2 : 1,
		.calls = calls,
		.ncalls = sizeof calls / sizeof calls[0],
	};
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max; /* each segment is one */
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
	umask(027);
	confine_drop(&c, o->root ? o->name : NULL, NULL);
	(void)confine_landlock(&c, true);
	confine_seccomp(&c);
}

static const struct verb {
	const char *name;
	void (*run)(struct tool *);
	bool has_dir, fills_spool, fills_dir;
	const char *done;
} verbs[] = {
	{ "verify", tool_verify, false, false, false, "whole" },
	{ "export", tool_export, true, false, true, "exported" },
	{ "import", tool_import, true, true, false, "imported" },
};

static int
run(const struct verb *v, const struct store_options *options,
    const char *dir_name)
{
	struct tool t = { .dir = -1, .options = options };
	struct owner owner;

	find_owner(options->spool, &owner);
	if (v->fills_spool)
		claim_spool(options->spool, &owner);
	not_in_use(options->spool);
	if (v->fills_dir)
		claim(dir_name, &owner, owner.gid, 0700, 0);
	if (v->has_dir) {
		t.dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (t.dir == -1 || fchdir(t.dir) == -1)
			err(1, "%s", dir_name);
	}
	t.tty = isatty(2);
	t.began = time(NULL);
	/* Both look at what surrounds them. */
	if ((t.base = event_base_new()) == NULL || sodium_init() == -1)
		errx(1, "no event loop");
	/* Drop, then sandbox: what is read below may be anything. */
	confine(&owner, options->spool, v->fills_spool, t.dir, v->fills_dir);
	t.store = store_open(options);
	v->run(&t);
	event_base_free(t.base);
	if (t.told != 0)
		fputs("\r\033[K", stderr);
	printf("%lu message%s %s", (unsigned long)t.done,
	    t.done == 1 ? "" : "s", v->done);
	if (t.skipped > 0)
		printf(", %lu were here already", (unsigned long)t.skipped);
	if (t.failed > 0)
		printf(", %lu problem%s", (unsigned long)t.failed,
		    t.failed == 1 ? "" : "s");
	putchar('\n');
	return fflush(stdout) == 0 && t.failed == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct store_options options = { .look = true };

	for (size_t i = 0; argc >= 6 && i < sizeof verbs / sizeof *verbs; i++) {
		const struct verb *v = &verbs[i];

		if (strcmp(argv[1], v->name) != 0 || argc != 6 + v->has_dir)
			continue;
		options.spool = argv[2];
		options.segment_size = strtoull(argv[3], NULL, 10);
		options.history = strtoll(argv[4], NULL, 10);
		options.history_size = strtoull(argv[5], NULL, 10);
		options.look = !v->fills_spool;
		return run(v, &options, argv[6]);
	}
	errx(2, "`sallyport spool' is the command for people");
}
