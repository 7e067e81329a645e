/*
 * status.c - the state of the service, for people and for monitoring.
 *
 * What processes count comes from them, what they are confined to from the
 * kernel.  Exit status: 0 all is well, 1 something is not, and is said, 3 no
 * service is running.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/status.h"

#define RECENT_SECONDS 60 /* for so long a death is worth a problem */

struct status {
	struct row *rows;
	size_t n;
	char **problems;
	size_t nproblems;
	uint64_t sessions, messages, recipients, oldest;
	const struct msg_process *master;
	const struct msg_errors *errors;
};

static _Noreturn void
no_memory(void)
{
	refuse(EXIT_REFUSED, "out of memory");
}

static void
on_process(void *arg, const struct msg_process *p)
{
	struct status *s = arg;
	struct row *grown = reallocarray(s->rows, s->n + 1, sizeof *grown);

	if (grown == NULL)
		no_memory();
	s->rows = grown;
	s->rows[s->n].process = *p;
	confined_read(&s->rows[s->n].confined, p->pid);
	s->n++;
}

static uint64_t
counter(const struct msg_process *p, const char *name)
{
	for (uint32_t i = 0; i < p->counters.n; i++)
		if (strcmp(p->counters.c[i].name, name) == 0)
			return p->counters.c[i].value;
	return 0;
}

/* ---- what is wrong -------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3)))
problem(struct status *s, const char *fmt, ...)
{
	char **grown =
	    reallocarray(s->problems, s->nproblems + 1, sizeof *s->problems);
	va_list ap;

	if (grown == NULL)
		no_memory();
	s->problems = grown;
	va_start(ap, fmt);
	if (vasprintf(&s->problems[s->nproblems], fmt, ap) == -1)
		no_memory();
	va_end(ap);
	s->nproblems++;
}

void
death_text(char *dst, size_t size, const struct msg_process *p)
{
	const char *name = sigdescr_np((int)p->died_signal);

	if (p->died_signal != 0)
		snprintf(dst, size, "signal %u (%s)", p->died_signal,
		    name != NULL ? name : "unknown");
	else
		snprintf(dst, size, "exit status %u", p->died_status);
}

static void
judge_process(struct status *s, const struct row *r)
{
	const struct msg_process *p = &r->process;
	const char *name = peer_name(p->kind);
	char death[64];

	if (p->state == PROCESS_GONE)
		problem(s, "%s is not running; it is started again", name);
	else if (p->state == PROCESS_STARTING)
		problem(s, "%s is starting", name);
	if (p->died && p->died_ago <= RECENT_SECONDS) {
		death_text(death, sizeof death, p);
		problem(s, "%s died %u s ago: %s", name, p->died_ago, death);
	}
	if (r->confined.known &&
	    (r->confined.seccomp != 2 || !r->confined.no_new_privs))
		problem(s, "%s (pid %u) is not confined", name, p->pid);
}

/* Counters that should be 0. */
static void
judge_counters(struct status *s, const struct msg_process *p)
{
	uint64_t n;

	if (p->kind == PEER_MASTER &&
	    counter(p, "descriptors") < counter(p, "descriptors_needed"))
		problem(s,
		    "a process may open %lu descriptors; max_sessions needs "
		    "%lu: raise the limit (ulimit -Hn, LimitNOFILE=) or lower "
		    "max_sessions",
		    (unsigned long)counter(p, "descriptors"),
		    (unsigned long)counter(p, "descriptors_needed"));
	if (p->kind == PEER_QUEUE && (n = counter(p, "refusing")) != 0)
		problem(s, "new mail gets %lu: the spool takes none",
		    (unsigned long)n);
	if (p->kind == PEER_QUEUE && (n = counter(p, "damaged")) != 0)
		problem(
		    s, "%lu parts of the spool were damaged", (unsigned long)n);
	if (p->kind == PEER_LOOKUP && (n = counter(p, "tables_unreadable")) > 0)
		problem(s, "%lu table files cannot be read", (unsigned long)n);
	if (p->kind == PEER_LOGGER && counter(p, "away") != 0)
		problem(s, "there is no syslog service to log to");
}

static void
judge(struct status *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct msg_process *p = &s->rows[i].process;

		judge_process(s, &s->rows[i]);
		judge_counters(s, p);
		if (p->kind == PEER_MASTER)
			s->master = p;
		if (p->kind == PEER_SMTPD)
			s->sessions += counter(p, "sessions");
		if (p->kind == PEER_QUEUE) {
			s->messages = counter(p, "messages");
			s->recipients = counter(p, "recipients");
			s->oldest = counter(p, "oldest");
		}
	}
}

/* A line of the log is escaped already. */
static void
print_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		putchar(s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
}

/* ---- showing -------------------------------------------------------------- */

static void
show_text(const struct status *s)
{
	printf("service %s", s->nproblems == 0 ? "well" : "degraded");
	if (s->master != NULL) {
		printf(", generation %u, up ", s->master->generation);
		print_duration(s->master->age);
	}
	printf("\nsessions %lu, messages %lu, recipients %lu",
	    (unsigned long)s->sessions, (unsigned long)s->messages,
	    (unsigned long)s->recipients);
	if (s->messages > 0) {
		printf(", oldest ");
		print_duration((int64_t)s->oldest);
	}
	putchar('\n');
	for (size_t i = 0; i < s->nproblems; i++)
		printf("problem: %s\n", s->problems[i]);
	for (uint32_t i = 0; i < s->errors->n; i++) {
		printf(i == 0 ? "last errors:\n    " : "    ");
		print_text(s->errors->lines[i]);
		putchar('\n');
	}
	putchar('\n');
	for (size_t i = 0; i < s->n; i++)
		row_print(&s->rows[i]);
}

static void
show_json(const struct status *s)
{
	json_t *o = json_object(), *problems = json_array();
	json_t *errors = json_array();

	for (size_t i = 0; i < s->n; i++)
		row_print_json(&s->rows[i]);
	for (size_t i = 0; i < s->nproblems; i++)
		json_array_append_new(problems, json_string(s->problems[i]));
	json_object_set_new(
	    o, "service", json_string(s->nproblems == 0 ? "well" : "degraded"));
	if (s->master != NULL) {
		json_object_set_new(
		    o, "generation", json_integer(s->master->generation));
		json_object_set_new(o, "up", json_integer(s->master->age));
	}
	json_object_set_new(
	    o, "sessions", json_integer((json_int_t)s->sessions));
	json_object_set_new(
	    o, "messages", json_integer((json_int_t)s->messages));
	json_object_set_new(
	    o, "recipients", json_integer((json_int_t)s->recipients));
	json_object_set_new(o, "oldest", json_integer((json_int_t)s->oldest));
	json_object_set_new(o, "problems", problems);
	for (uint32_t i = 0; i < s->errors->n; i++)
		json_array_append_new(errors, json_text(s->errors->lines[i]));
	json_object_set_new(o, "errors", errors);
	print_json(o);
}

int
verb_status(struct admin *a)
{
	bool json = a->argc == 1 && strcmp(a->argv[0], "--json") == 0;
	struct status s = { 0 };
	int status;

	if (a->argc != 0 && !json)
		usage("%s: only --json is known", a->argv[0]);
	admin_connect(a);
	a->answer->process = on_process;
	a->answer->arg = &s;
	admin_begin(a, CONTROL_STATUS);
	admin_ask(a, CONTROL_DONE);
	judge(&s);
	admin_begin(a, CONTROL_ERRORS);
	s.errors = &admin_ask(a, CONTROL_ERRORS_LAST)->errors;
	if (json)
		show_json(&s);
	else
		show_text(&s);
	status = s.nproblems == 0 ? EXIT_DONE : EXIT_REFUSED;
	while (s.nproblems > 0)
		free(s.problems[--s.nproblems]);
	free(s.problems);
	free(s.rows);
	return status;
}
