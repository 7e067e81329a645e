/*
 * landlock.c - the file system and TCP, cut down to what a process lists.
 *
 * There is no C library wrapper for Landlock, so these are the raw system
 * calls.  Everything that the running kernel can restrict is restricted; rules
 * then give back what is listed.  Constants newer than the kernel headers we
 * may be built with stand here under our own names.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/landlock.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/confine.h"
#include "common/run/sanitized.h"

#define ABI_LEAST    2 /* REFER: renames and links between directories */
#define ABI_TRUNCATE 3
#define ABI_NET	     4
#define ABI_IOCTL    5
#define ABI_SCOPE    6

#define FS_TRUNCATE	(UINT64_C(1) << 14)
#define FS_IOCTL_DEV	(UINT64_C(1) << 15)
#define NET_BIND_TCP	(UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define RULE_NET_PORT	2
#define SCOPE_ABSTRACT	(UINT64_C(1) << 0) /* abstract Unix sockets */
#define SCOPE_SIGNAL	(UINT64_C(1) << 1) /* signals to processes not below */

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct port_attr {
	uint64_t access, port;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REFER | \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | FS_TRUNCATE)

/* All rights over files that a kernel of this ABI knows. */
static uint64_t
fs_known(int abi)
{
	uint64_t all = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;

	if (abi >= ABI_TRUNCATE)
		all |= FS_TRUNCATE;
	if (abi >= ABI_IOCTL)
		all |= FS_IOCTL_DEV;
	return all;
}

static int
ruleset_new(const struct confine *c, int abi)
{
	struct ruleset_attr attr = { .fs = fs_known(abi) };
	size_t size = sizeof attr.fs;
	int fd;

	if (abi >= ABI_NET) {
		size = sizeof attr.fs + sizeof attr.net;
		attr.net = NET_BIND_TCP;
		if (!c->any_tcp_connect)
			attr.net |= NET_CONNECT_TCP;
	}
	if (abi >= ABI_SCOPE) {
		size = sizeof attr;
		attr.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd == -1)
		fatal("landlock ruleset");
	return fd;
}

static void
allow_dir(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr attr = { .allowed_access = access };

	attr.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (attr.parent_fd == -1)
		fatal(path);
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		&attr, 0) == -1)
		fatal(path);
	close(attr.parent_fd);
}

static void
allow_port(int ruleset, uint16_t port)
{
	struct port_attr attr = { NET_CONNECT_TCP, port };

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &attr, 0) ==
	    -1)
		fatal("landlock port");
}

int
confine_landlock(const struct confine *c, bool seccomp_only)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset;

	if (abi < ABI_LEAST) {
		if (!seccomp_only)
			fatalx("landlock",
			    "the kernel has none, or one that is too old; "
			    "sandbox = \"seccomp-only\" goes without");
		return 0;
	}
	ruleset = ruleset_new(c, abi);
	for (size_t i = 0; i < c->ndirs; i++)
		allow_dir(ruleset, c->dirs[i].path,
		    fs_known(abi) &
			(c->dirs[i].access == CONFINE_WRITE ? FS_READ | FS_WRITE
							    : FS_READ));
	for (size_t i = 0; abi >= ABI_NET && i < c->nports; i++)
		allow_port(ruleset, c->ports[i]);
	/* The leak checker lists the threads there. */
	if (SANITIZED && access("/proc/self", F_OK) == 0)
		allow_dir(ruleset, "/proc", FS_READ);
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == -1)
		fatal("landlock");
	close(ruleset);
	return abi;
}
