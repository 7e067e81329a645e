/*
 * queue.c - `sallyport queue`: its words, options and selectors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "common/bytes/id.h"

/* Seconds of silence. */
#define PROGRESS_AFTER 2

struct options {
	bool dry, json;
	const char *reason;
	int nwords; /* selectors, and the word all */
	struct select select;
};

struct sub {
	const char *name;
	int (*run)(struct admin *, const struct sub *, const struct options *);
	enum control_verb verb;
	bool changes;
	const char *done; /* "1 recipient DONE" */
};

static void
print_row(const struct control_row *r, int64_t now)
{
	print_id(r->id);
	printf(" %8lu ", (unsigned long)r->size);
	print_duration(now - r->accepted);
	printf(" %s", state_name(r->state));
	if (r->code != 0)
		printf(" %u", r->code);
	if (r->state == STATE_DEFERRED) {
		fputs(" next ", stdout);
		print_duration(r->next - now);
	}
	fputs(" <", stdout);
	print_safe(r->sender);
	fputs("> -> <", stdout);
	print_safe(r->rcpt);
	fputs(">\n", stdout);
}

static void
print_row_json(const struct control_row *r, int64_t now)
{
	json_t *o = json_object();
	struct span at = r->rcpt, local = span_cut(&at, '@');
	char id[ID_LEN + 1];

	(void)local;
	id_format(id, r->id);
	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "from", json_text(r->sender));
	json_object_set_new(o, "to", json_text(r->rcpt));
	json_object_set_new(o, "domain", json_text(at));
	json_object_set_new(o, "size", json_integer((json_int_t)r->size));
	json_object_set_new(o, "age", json_integer(now - r->accepted));
	json_object_set_new(o, "state", json_string(state_name(r->state)));
	json_object_set_new(o, "code", json_integer(r->code));
	json_object_set_new(o, "next", json_integer(r->next));
	print_json(o);
}

static _Noreturn void
refuse_page(const struct reply *reply, uint64_t matched)
{
	char text[REPLY_LINE_MAX];

	reply_text(text, sizeof text, reply);
	refuse(EXIT_REFUSED, "%s (after %lu recipients)", text,
	    (unsigned long)matched);
}

/* Somebody may sit and wait for it. */
static void
progress(uint64_t matched, time_t began, time_t *told)
{
	time_t now = time(NULL);

	if (now < began + PROGRESS_AFTER || now == *told || !isatty(2))
		return;
	*told = now;
	fprintf(stderr, "\r%lu recipients so far ", (unsigned long)matched);
}

/* All pages of a selector verb; `row` is told each row.  How many matched. */
static uint64_t
pages(struct admin *a, const struct sub *sub, const struct options *o,
    void (*row)(void *arg, const struct control_row *), void *arg)
{
	static struct msg_act act;
	time_t began = time(NULL), told = 0;
	uint64_t matched = 0;
	struct answer *answer;

	act = (struct msg_act){
		.verb = sub->verb, .dry = o->dry, .select = o->select
	};
	if (o->reason != NULL)
		snprintf(act.reason, sizeof act.reason, "%s", o->reason);
	do {
		msg_act_put(admin_begin(a, CONTROL_ACT), &act);
		answer = admin_ask(a, CONTROL_PAGE);
		if (answer->page.reply.code != 250)
			refuse_page(&answer->page.reply, matched);
		matched += answer->page.matched;
		for (uint32_t i = 0; row != NULL && i < answer->page.nrows; i++)
			row(arg, &answer->page.rows[i]);
		act.cursor = answer->page.cursor;
		if (row == NULL)
			progress(matched, began, &told);
	} while (answer->page.more);
	if (told != 0)
		fputs("\r\033[K", stderr);
	return matched;
}

/* An empty queue is nothing wrong; a selector that finds nothing is. */
static int
status_of(uint64_t matched, const struct options *o)
{
	return matched > 0 || o->select.n == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static void
list_row(void *arg, const struct control_row *r)
{
	const struct options *o = arg;

	(o->json ? print_row_json : print_row)(r, time(NULL));
}

static int
run_list(struct admin *a, const struct sub *sub, const struct options *o)
{
	return status_of(pages(a, sub, o, list_row, (void *)(uintptr_t)o), o);
}

static int
run_count(struct admin *a, const struct sub *sub, const struct options *o)
{
	uint64_t matched = pages(a, sub, o, NULL, NULL);

	if (o->json)
		print_json(
		    json_pack("{s:I}", "recipients", (json_int_t)matched));
	else
		printf("%lu\n", (unsigned long)matched);
	return status_of(matched, o);
}

static int
run_change(struct admin *a, const struct sub *sub, const struct options *o)
{
	uint64_t matched = pages(a, sub, o, NULL, NULL);

	if (o->json)
		print_json(json_pack("{s:I,s:b}", "recipients",
		    (json_int_t)matched, "dry", o->dry));
	else
		printf("%lu recipient%s %s%s\n", (unsigned long)matched,
		    matched == 1 ? "" : "s", o->dry ? "would be " : "",
		    sub->done);
	return matched > 0 ? EXIT_DONE : EXIT_REFUSED;
}

/* ---- show and cat
 * ------------------------------------------------------------ */

/* The messages of a selector: recipients come in the order of their ids. */
struct ids {
	uint64_t *id;
	size_t n, max;
};

static void
note_id(void *arg, const struct control_row *r)
{
	struct ids *ids = arg;

	if (ids->n > 0 && ids->id[ids->n - 1] == r->id)
		return;
	if (ids->n == ids->max) {
		ids->max = ids->max == 0 ? 64 : ids->max * 2;
		ids->id = reallocarray(ids->id, ids->max, sizeof *ids->id);
		if (ids->id == NULL)
			refuse(EXIT_REFUSED, "out of memory");
	}
	ids->id[ids->n++] = r->id;
}

static int
run_show(struct admin *a, const struct sub *sub, const struct options *o)
{
	struct ids ids = { 0 };
	int status = EXIT_REFUSED;

	if (o->nwords == 0)
		usage("show needs an id or a selector");
	pages(a, sub, o, note_id, &ids);
	for (size_t i = 0; i < ids.n; i++)
		if (message_show(a, ids.id[i], o->json) == EXIT_DONE)
			status = EXIT_DONE;
	free(ids.id);
	if (status != EXIT_DONE)
		refuse(EXIT_REFUSED, "nothing in the queue matches");
	return status;
}

static int
run_cat(struct admin *a, const struct sub *sub, const struct options *o)
{
	struct ids ids = { 0 };
	int status = EXIT_REFUSED;

	if (o->nwords == 0)
		usage("cat needs an id or a selector");
	pages(a, sub, o, note_id, &ids);
	if (ids.n > 1)
		refuse(
		    EXIT_REFUSED, "%zu messages match; cat shows one", ids.n);
	if (ids.n == 1)
		status = message_cat(a, ids.id[0]);
	free(ids.id);
	if (status != EXIT_DONE)
		refuse(
		    EXIT_REFUSED, "no content: no such message in the queue");
	return status;
}

/* ---- the words -------------------------------------------------------------
 */

#define VERBS "list, count, show, cat, hold, release, retry, delete or bounce"

static const struct sub subs[] = {
	{ "list", run_list, VERB_LIST, false, "" },
	{ "count", run_count, VERB_COUNT, false, "" },
	{ "show", run_show, VERB_LIST, false, "" },
	{ "cat", run_cat, VERB_LIST, false, "" },
	{ "hold", run_change, VERB_HOLD, true, "held" },
	{ "release", run_change, VERB_RELEASE, true, "released" },
	{ "retry", run_change, VERB_RETRY, true, "due now" },
	{ "delete", run_change, VERB_DELETE, true, "deleted" },
	{ "bounce", run_change, VERB_BOUNCE, true, "bounced" },
};

static void
options_parse(struct options *o, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-n") == 0)
			o->dry = true;
		else if (strcmp(argv[i], "--json") == 0)
			o->json = true;
		else if (strcmp(argv[i], "--reason") == 0) {
			if (++i == argc || strlen(argv[i]) > CONTROL_REASON_MAX)
				usage("--reason needs a text of at most %d "
				      "characters",
				    CONTROL_REASON_MAX);
			o->reason = argv[i];
		} else if (argv[i][0] == '-')
			usage("%s is no option: -n, --json, --reason TEXT",
			    argv[i]);
		else {
			argv[o->nwords++] = argv[i];
		}
	}
	selector_parse(&o->select, o->nwords, argv);
}

int
verb_queue(struct admin *a)
{
	struct options o = { 0 };

	if (a->argc == 0)
		usage("%s?", VERBS);
	for (size_t i = 0; i < sizeof subs / sizeof *subs; i++) {
		if (strcmp(a->argv[0], subs[i].name) != 0)
			continue;
		options_parse(&o, a->argc - 1, a->argv + 1);
		if (subs[i].changes && o.nwords == 0)
			usage("%s needs a selector, or the word all",
			    subs[i].name);
		admin_connect(a);
		return subs[i].run(a, &subs[i], &o);
	}
	usage("there is no %s: %s", a->argv[0], VERBS);
}
