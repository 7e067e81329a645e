/*
 * trace.c - `sallyport trace ID`: what happened to a message, from its
 * acceptance to the last reply, to the messages that an alias made of it, and
 * to the bounces that tell of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin.h"
#include "common/bytes/id.h"

#define CHILDREN_MAX 256 /* told of, for one message */

struct trace {
	struct admin *admin;
	bool json;
	bool found;
	uint64_t children[CHILDREN_MAX]; /* that tell of it, or go on with it */
	size_t nchildren;
};

static void
print_accepted(const struct history_event *e)
{
	fputs(" accepted from <", stdout);
	print_safe(e->sender);
	fputs("> to <", stdout);
	print_safe(e->rcpt);
	printf(">, %lu octets", (unsigned long)e->size);
	if (e->client.n > 0) {
		fputs(", client ", stdout);
		print_safe(e->client);
	}
	if (e->parent != 0) {
		fputs(e->bounce ? ", tells of the failure of "
				: ", for an alias of ",
		    stdout);
		print_id(e->parent);
	}
	putchar('\n');
}

/* An administrator's word. */
static bool
is_order(const struct history_event *e)
{
	return e->kind == HISTORY_HELD || e->kind == HISTORY_RELEASED ||
	    e->kind == HISTORY_RETRIED;
}

static const char *
outcome(const struct history_event *e)
{
	if (e->kind == HISTORY_HELD)
		return "held";
	if (e->kind == HISTORY_RELEASED)
		return "released";
	if (e->kind == HISTORY_RETRIED)
		return "retried";
	if (e->kind == HISTORY_EXPANDED)
		return "expanded";
	if (e->deleted)
		return "deleted";
	if (!e->final)
		return "deferred";
	return reply_class(&e->reply) == 2 ? "delivered" : "failed";
}

static void
print_result(const struct history_event *e)
{
	char text[REPLY_LINE_MAX];

	printf(" %s <", outcome(e));
	print_safe(e->rcpt);
	printf(">, attempt %u", e->attempts);
	if (e->host.n > 0) {
		fputs(", ", stdout);
		print_safe(e->host);
	}
	reply_text(text, sizeof text, &e->reply);
	printf(": %s", text);
	if (!e->final) {
		fputs("; next ", stdout);
		print_time(e->next);
	}
	putchar('\n');
}

static void
print_order(const struct history_event *e)
{
	printf(" %s <", outcome(e));
	print_safe(e->rcpt);
	fputs("> by the administrator", stdout);
	if (e->reply.text[0] != '\0') {
		fputs(": ", stdout);
		print_safe(span_of(e->reply.text));
	}
	putchar('\n');
}

static void
print_event_json(const struct history_event *e)
{
	char id[ID_LEN + 1], parent[ID_LEN + 1] = "", text[REPLY_LINE_MAX] = "";
	json_t *o;

	id_format(id, e->id);
	if (e->parent != 0)
		id_format(parent, e->parent);
	if (e->reply.code != 0)
		reply_text(text, sizeof text, &e->reply);
	o = json_pack("{s:s,s:f,s:s,s:o}", "id", id, "time",
	    (double)e->time / 1e6, "event",
	    e->kind == HISTORY_ACCEPTED ? "accepted" : outcome(e), "to",
	    json_text(e->rcpt));
	if (e->kind == HISTORY_ACCEPTED) {
		json_object_set_new(o, "from", json_text(e->sender));
		json_object_set_new(o, "client", json_text(e->client));
		json_object_set_new(
		    o, "size", json_integer((json_int_t)e->size));
		json_object_set_new(o, "parent", json_string(parent));
	} else if (is_order(e)) {
		json_object_set_new(
		    o, "reason", json_text(span_of(e->reply.text)));
	} else {
		json_object_set_new(o, "attempt", json_integer(e->attempts));
		json_object_set_new(o, "host", json_text(e->host));
		json_object_set_new(o, "reply", json_string(text));
		json_object_set_new(
		    o, "next", json_integer(e->final ? 0 : e->next));
	}
	print_json(o);
}

static void
print_event(struct trace *t, const struct history_event *e)
{
	if (t->json) {
		print_event_json(e);
		return;
	}
	print_time(e->time / 1000000);
	putchar(' ');
	print_id(e->id);
	if (e->kind == HISTORY_ACCEPTED)
		print_accepted(e);
	else if (is_order(e))
		print_order(e);
	else
		print_result(e);
}

static void
note_child(struct trace *t, uint64_t id)
{
	for (size_t i = 0; i < t->nchildren; i++)
		if (t->children[i] == id)
			return;
	if (t->nchildren < CHILDREN_MAX)
		t->children[t->nchildren++] = id;
}

static void
tell(struct trace *t, uint64_t id)
{
	struct msg_story ask = { .id = id };
	const struct msg_tale *tale;

	do {
		msg_story_put(admin_begin(t->admin, CONTROL_STORY), &ask);
		tale = &admin_ask(t->admin, CONTROL_TALE)->tale;
		for (uint32_t i = 0; i < tale->n; i++) {
			const struct history_event *e = &tale->events[i];

			if (e->id != id) {
				note_child(t, e->id);
				continue;
			}
			t->found = true;
			print_event(t, e);
		}
		ask.slice = tale->slice;
		ask.offset = tale->offset;
	} while (tale->more);
}

int
verb_trace(struct admin *a)
{
	struct trace t = { .admin = a };
	uint64_t id = 0;

	for (int i = 0; i < a->argc; i++) {
		if (strcmp(a->argv[i], "--json") == 0)
			t.json = true;
		else if (id != 0 || !id_parse(span_of(a->argv[i]), &id))
			usage("%s is no queue id: one id, the 16 letters and "
			      "digits "
			      "that stood in the 250",
			    a->argv[i]);
	}
	if (id == 0)
		usage("which message?  its id stood in the 250");
	admin_connect(a);
	tell(&t, id);
	if (!t.found)
		refuse(
		    EXIT_REFUSED, "no message with this id within the history");
	/* What comes from it has such of its own: the list grows. */
	for (size_t i = 0; i < t.nchildren; i++)
		tell(&t, t.children[i]);
	return EXIT_DONE;
}
