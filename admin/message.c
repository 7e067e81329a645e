/*
 * message.c - one message of the queue, shown whole or its content written out.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "common/bytes/id.h"

static void
print_rcpt(const struct control_rcpt *r, int64_t now)
{
	char text[REPLY_LINE_MAX];

	fputs("  to <", stdout);
	print_safe(r->rcpt);
	printf("> %s, %u attempt%s", r->final ? "done" : state_name(r->state),
	    r->attempts, r->attempts == 1 ? "" : "s");
	if (!r->final && r->state == STATE_DEFERRED) {
		fputs(", next in ", stdout);
		print_duration(r->next - now);
	}
	putchar('\n');
	if (r->reply.code == 0)
		return;
	reply_text(text, sizeof text, &r->reply);
	fputs("     ", stdout);
	print_time(r->time);
	putchar(' ');
	print_safe(r->host);
	printf(" %s\n", text);
}

static json_t *
rcpt_json(const struct control_rcpt *r)
{
	char text[REPLY_LINE_MAX] = "";
	json_t *o = json_object();

	if (r->reply.code != 0)
		reply_text(text, sizeof text, &r->reply);
	json_object_set_new(o, "to", json_text(r->rcpt));
	json_object_set_new(
	    o, "state", json_string(r->final ? "done" : state_name(r->state)));
	json_object_set_new(o, "attempts", json_integer(r->attempts));
	json_object_set_new(o, "next", json_integer(r->next));
	json_object_set_new(o, "time", json_integer(r->time));
	json_object_set_new(o, "reply", json_string(text));
	json_object_set_new(o, "host", json_text(r->host));
	return o;
}

static void
print_head(const struct msg_detail *d, int64_t now)
{
	print_id(d->id);
	fputs(" from <", stdout);
	print_safe(d->sender);
	printf(">, %lu octets, accepted ", (unsigned long)d->size);
	print_time((int64_t)(id_time(d->id) / 1000000));
	fputs(" (", stdout);
	print_duration(now - (int64_t)(id_time(d->id) / 1000000));
	fputs(" ago)", stdout);
	if (d->client.n > 0) {
		fputs(" from client ", stdout);
		print_safe(d->client);
	}
	if (d->damaged)
		fputs(", its content is damaged", stdout);
	putchar('\n');
	if (d->bounce && d->parent != 0) {
		fputs("  tells of the failure of ", stdout);
		print_id(d->parent);
		putchar('\n');
	}
}

static json_t *
head_json(const struct msg_detail *d)
{
	char id[ID_LEN + 1], parent[ID_LEN + 1] = "";

	id_format(id, d->id);
	if (d->parent != 0)
		id_format(parent, d->parent);
	return json_pack("{s:s,s:s,s:o,s:o,s:I,s:b,s:I,s:[]}", "id", id,
	    "parent", parent, "from", json_text(d->sender), "client",
	    json_text(d->client), "size", (json_int_t)d->size, "damaged",
	    d->damaged, "accepted", (json_int_t)(id_time(d->id) / 1000000),
	    "recipients");
}

/* One message, page after page of its recipients. */
int
message_show(struct admin *a, uint64_t id, bool json)
{
	struct msg_show ask = { .id = id };
	const struct msg_detail *d;
	json_t *o = NULL;
	int64_t now = time(NULL);

	do {
		msg_show_put(admin_begin(a, CONTROL_SHOW), &ask);
		d = &admin_ask(a, CONTROL_DETAIL)->detail;
		if (d->reply.code != 250)
			return EXIT_REFUSED;
		if (ask.index == 0 && json)
			o = head_json(d);
		else if (ask.index == 0)
			print_head(d, now);
		for (uint32_t i = 0; i < d->n; i++) {
			if (json)
				json_array_append_new(
				    json_object_get(o, "recipients"),
				    rcpt_json(&d->rcpts[i]));
			else
				print_rcpt(&d->rcpts[i], now);
		}
		ask.index = d->first + d->n;
	} while (d->n > 0 && ask.index < d->nrcpts);
	if (json)
		print_json(o);
	return EXIT_DONE;
}

/* Content has CRLF line ends in the queue, and LF for people. */
static void
write_lf(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != '\r')
			putchar(p[i]);
}

int
message_cat(struct admin *a, uint64_t id)
{
	struct msg_show ask = { .id = id };
	char block[65536];
	struct answer *answer;
	off_t at = 0;
	ssize_t n;

	msg_show_put(admin_begin(a, CONTROL_CAT), &ask);
	answer = admin_ask(a, CONTROL_CONTENT);
	if (answer->content.reply.code != 250 || answer->fd == -1)
		return EXIT_REFUSED;
	write_lf(answer->content.prefix.p, answer->content.prefix.n);
	while ((n = pread(answer->fd, block, sizeof block, at)) > 0) {
		write_lf(block, (size_t)n);
		at += n;
	}
	close(answer->fd);
	return n == 0 && fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}
