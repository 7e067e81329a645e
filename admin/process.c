/*
 * process.c - one process of the service: what the kernel says of it, and how
 * it is shown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/status.h"

void
confined_read(struct confined *c, uint32_t pid)
{
	char path[64], line[512];
	unsigned nnp = 0;
	ssize_t n;
	FILE *f;

	*c = (struct confined){ .known = false };
	snprintf(path, sizeof path, "/proc/%u/status", pid);
	if (pid == 0 || (f = fopen(path, "re")) == NULL)
		return;
	while (fgets(line, sizeof line, f) != NULL) {
		(void)sscanf(line, "Uid: %" SCNu32, &c->uid);
		(void)sscanf(line, "CapEff: %" SCNx64, &c->caps);
		(void)sscanf(line, "NoNewPrivs: %u", &nnp);
		(void)sscanf(line, "Seccomp_filters: %u", &c->filters);
		/* An old kernel tells no more than this. */
		if (sscanf(line, "Seccomp: %u", &c->seccomp) == 1)
			c->known = true;
	}
	fclose(f);
	c->no_new_privs = nnp != 0;
	snprintf(path, sizeof path, "/proc/%u/root", pid);
	n = readlink(path, c->root, sizeof c->root - 1);
	c->root[n > 0 ? n : 0] = '\0';
}

static const char *
state_text(const struct msg_process *p)
{
	static const char *const names[PROCESS_STATE_END] = {
		[PROCESS_STARTING] = "starting",
		[PROCESS_RUNNING] = "running",
		[PROCESS_COMING] = "coming",
		[PROCESS_RETIRING] = "retiring",
		[PROCESS_GONE] = "gone",
	};

	return names[p->state];
}

/* What it tells of itself: the kernel does not. */
static uint64_t
landlock(const struct msg_process *p)
{
	for (uint32_t i = 0; i < p->counters.n; i++)
		if (strcmp(p->counters.c[i].name, "landlock") == 0)
			return p->counters.c[i].value;
	return 0;
}

static void
print_confined(const struct row *r)
{
	const struct confined *c = &r->confined;

	if (!c->known)
		printf("\n          confinement not to be seen");
	else {
		printf("\n          uid %u caps %" PRIx64 "%s", c->uid, c->caps,
		    c->no_new_privs ? " no_new_privs" : "");
		if (c->seccomp == 2)
			printf(" seccomp %u", c->filters);
		if (c->root[0] != '\0' && strcmp(c->root, "/") != 0) {
			printf(" root ");
			print_safe(span_of(c->root));
		}
	}
	if (landlock(&r->process) > 0)
		printf(" landlock %" PRIu64, landlock(&r->process));
}

void
row_print(const struct row *r)
{
	const struct msg_process *p = &r->process;
	char death[64];

	printf("%-9s %3u %s pid %u generation %u up ", peer_name(p->kind),
	    p->instance, state_text(p), p->pid, p->generation);
	print_duration(p->age);
	printf(" restarts %u", p->restarts);
	if (p->died) {
		death_text(death, sizeof death, p);
		printf(" last death ");
		print_duration(p->died_ago);
		printf(" ago by %s", death);
	}
	print_confined(r);
	if (p->counters.n > 0)
		printf("\n         ");
	for (uint32_t i = 0; i < p->counters.n; i++)
		printf(" %s=%" PRIu64, p->counters.c[i].name,
		    p->counters.c[i].value);
	putchar('\n');
}

static json_t *
confined_json(const struct row *r)
{
	const struct confined *c = &r->confined;
	json_t *o = json_object();
	char caps[24];

	json_object_set_new(
	    o, "landlock", json_integer((json_int_t)landlock(&r->process)));
	if (!c->known)
		return o;
	snprintf(caps, sizeof caps, "%016" PRIx64, c->caps);
	json_object_set_new(o, "uid", json_integer(c->uid));
	json_object_set_new(o, "capabilities", json_string(caps));
	json_object_set_new(o, "no_new_privs", json_boolean(c->no_new_privs));
	json_object_set_new(o, "seccomp", json_integer(c->seccomp));
	json_object_set_new(o, "seccomp_filters", json_integer(c->filters));
	if (c->root[0] != '\0')
		json_object_set_new(o, "root", json_text(span_of(c->root)));
	return o;
}

static json_t *
death_json(const struct msg_process *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "ago", json_integer(p->died_ago));
	if (p->died_signal != 0)
		json_object_set_new(o, "signal", json_integer(p->died_signal));
	else
		json_object_set_new(o, "status", json_integer(p->died_status));
	return o;
}

void
row_print_json(const struct row *r)
{
	const struct msg_process *p = &r->process;
	json_t *o = json_object(), *counters = json_object();

	json_object_set_new(o, "process", json_string(peer_name(p->kind)));
	json_object_set_new(o, "instance", json_integer(p->instance));
	json_object_set_new(o, "state", json_string(state_text(p)));
	json_object_set_new(o, "pid", json_integer(p->pid));
	json_object_set_new(o, "generation", json_integer(p->generation));
	json_object_set_new(o, "up", json_integer(p->age));
	json_object_set_new(o, "restarts", json_integer(p->restarts));
	if (p->died)
		json_object_set_new(o, "last_death", death_json(p));
	json_object_set_new(o, "confinement", confined_json(r));
	for (uint32_t i = 0; i < p->counters.n; i++)
		json_object_set_new(counters, p->counters.c[i].name,
		    json_integer((json_int_t)p->counters.c[i].value));
	json_object_set_new(o, "counters", counters);
	print_json(o);
}
