/*
 * print.c - values as people and programs read them.
 */
#include <stdio.h>
#include <time.h>

#include "admin/admin.h"
#include "common/bytes/id.h"
#include "common/bytes/log.h"

void
print_safe(struct span s)
{
	char text[2048];

	log_escape(text, sizeof text, s);
	fputs(text, stdout);
}

void
print_id(uint64_t id)
{
	char text[ID_LEN + 1];

	id_format(text, id);
	fputs(text, stdout);
}

void
print_time(int64_t seconds)
{
	time_t t = seconds;
	struct tm tm;
	char text[32];

	localtime_r(&t, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	fputs(text, stdout);
}

void
print_duration(int64_t s)
{
	if (s < 0)
		s = 0;
	if (s >= 86400)
		printf("%ldd%ldh", (long)(s / 86400), (long)(s % 86400 / 3600));
	else if (s >= 3600)
		printf("%ldh%ldm", (long)(s / 3600), (long)(s % 3600 / 60));
	else if (s >= 60)
		printf("%ldm", (long)(s / 60));
	else
		printf("%lds", (long)s);
}

void
print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

json_t *
json_text(struct span s)
{
	char text[2048];
	json_t *t = json_stringn(s.p, s.n);

	if (t != NULL)
		return t;
	log_escape(text, sizeof text, s);
	return json_string(text);
}
