/*
 * account_helper.c - the process that may block in getpwnam(3).
 *
 * What the modules of NSS need is not known here, so its system calls are
 * limited by a list of what is denied.  It can read, and write to nothing.
 */
#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/account_helper.h"
#include "common/run/confine.h"

#define PASSWD_FIRST (4 * 1024)
#define PASSWD_MAX   (1024 * 1024)

static const struct confine_dir dirs[] = {
	{ "/", CONFINE_READ },
};

static const struct confine_call denied[] = {
	{ .nr = SCMP_SYS(execve), .why = "starts nothing" },
	{ .nr = SCMP_SYS(execveat), .why = "starts nothing" },
	{ .nr = SCMP_SYS(fork), .why = "starts nothing" },
	{ .nr = SCMP_SYS(vfork), .why = "starts nothing" },
	{ .nr = SCMP_SYS(kill), .why = "signals nobody" },
	{ .nr = SCMP_SYS(ptrace), .why = "reads nobody's memory" },
	{ .nr = SCMP_SYS(process_vm_readv), .why = "reads nobody's memory" },
	{ .nr = SCMP_SYS(process_vm_writev), .why = "reads nobody's memory" },
	{ .nr = SCMP_SYS(mount), .why = "changes no mounts" },
	{ .nr = SCMP_SYS(umount2), .why = "changes no mounts" },
	{ .nr = SCMP_SYS(unshare), .why = "makes no namespace" },
	{ .nr = SCMP_SYS(setns), .why = "enters no namespace" },
	{ .nr = SCMP_SYS(bpf), .why = "no way into the kernel" },
	{ .nr = SCMP_SYS(io_uring_setup), .why = "no way around this list" },
	{ .nr = SCMP_SYS(keyctl), .why = "no keys" },
	{ .nr = SCMP_SYS(listen), .why = "serves only its parent" },
};

static const struct confine limits = {
	.dirs = dirs,
	.ndirs = sizeof dirs / sizeof *dirs,
	.any_tcp_connect = true, /* a directory server */
	.calls = denied,
	.ncalls = sizeof denied / sizeof *denied,
	.deny = true,
};

void
account_put(struct wire_put *w, const struct account *a)
{
	wire_put_u8(w, (uint8_t)a->state);
	wire_put_str(w, a->home);
	wire_put_u32(w, a->uid);
	wire_put_u32(w, a->gid);
	wire_put_u32(w, a->ngroups);
	for (uint32_t i = 0; i < a->ngroups; i++)
		wire_put_u32(w, a->groups[i]);
}

void
account_get(struct wire_get *w, struct account *a)
{
	a->state = wire_get_enum(w, ACCOUNT_STATE_END);
	wire_get_str(w, a->home, sizeof a->home);
	a->uid = wire_get_u32(w);
	a->gid = wire_get_u32(w);
	a->ngroups = wire_get_u32(w);
	if (a->ngroups > ACCOUNT_GROUPS_MAX) {
		w->bad = true;
		a->ngroups = 0;
	}
	for (uint32_t i = 0; i < a->ngroups; i++)
		a->groups[i] = wire_get_u32(w);
}

static void
find_groups(struct account *a)
{
	gid_t all[1024];
	int n = sizeof all / sizeof *all;

	/* -1: more than there is room for; n is then the number there are. */
	if (getgrouplist(a->name, a->gid, all, &n) == -1)
		n = sizeof all / sizeof *all;
	if (n > ACCOUNT_GROUPS_MAX)
		n = ACCOUNT_GROUPS_MAX;
	a->ngroups = (uint32_t)n;
	memcpy(a->groups, all, (size_t)n * sizeof *all);
}

static void
take_passwd(struct account *a, const struct passwd *pw, bool groups)
{
	if (!span_copy(a->home, sizeof a->home, span_of(pw->pw_dir))) {
		log_warn("account_home_too_long", log_str("user", a->name));
		a->state = ACCOUNT_ERROR;
		return;
	}
	a->state = ACCOUNT_FOUND;
	a->uid = pw->pw_uid;
	a->gid = pw->pw_gid;
	if (groups)
		find_groups(a);
}

/* getpwnam_r(3): 0 without a result is "no such user", and so are these two
 * with some modules.  Anything else is not known. */
static enum account_state
missing(int err)
{
	return err == 0 || err == ENOENT || err == ESRCH ? ACCOUNT_NONE
							 : ACCOUNT_ERROR;
}

static void
find(struct account *a, bool groups)
{
	struct passwd pw, *found = NULL;
	char *space = NULL;
	int err = ERANGE;

	for (size_t n = PASSWD_FIRST; err == ERANGE && n <= PASSWD_MAX;
	     n *= 4) {
		free(space);
		if ((space = malloc(n)) == NULL)
			err = ENOMEM;
		else
			err = getpwnam_r(a->name, &pw, space, n, &found);
	}
	if (err == 0 && found != NULL)
		take_passwd(a, found, groups);
	else {
		a->state = missing(err);
		if (a->state == ACCOUNT_ERROR)
			log_warn("account_lookup_failed",
			    log_str("user", a->name), log_errno(err));
	}
	free(space);
}

/*
 * A signal to the whole process group must not end the helper before those who
 * still ask: it ends with them.
 */
static void
live_as_long_as_parent(pid_t parent)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		fatal("PR_SET_PDEATHSIG");
	if (getppid() != parent)
		_exit(0);
}

/* Descriptor 2 is the log, 3 is the socket, and nothing else is open. */
static void
keep_only(int fd)
{
	if (fd != 3 && dup2(fd, 3) == -1)
		fatal("account helper");
	if (close_range(4, ~0u, 0) == -1)
		fatal("close_range");
}

_Noreturn void
account_helper(int fd, const struct conf *conf, const char *user, bool groups)
{
	char packet[ACCOUNT_ANSWER_MAX];
	pid_t parent = getppid();
	ssize_t n;

	keep_only(fd);
	/* Loads the modules while they can still be found anywhere. */
	(void)getpwnam("root");
	confine_drop(&limits, user, NULL);
	live_as_long_as_parent(parent);
	confine_landlock(&limits, conf->seccomp_only);
	confine_seccomp(&limits);
	for (;;) {
		struct account a = { 0 };
		struct wire_put w = wire_writer(packet, sizeof packet);

		n = recv(3, packet, sizeof packet, 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		if (!span_copy(
			a.name, sizeof a.name, span_from(packet, (size_t)n)))
			_exit(1);
		find(&a, groups);
		account_put(&w, &a);
		if (w.bad || send(3, packet, w.n, MSG_NOSIGNAL) == -1)
			_exit(1);
	}
}
