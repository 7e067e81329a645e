/*
 * top.c - the settings outside of all braces.
 */
#include <sys/un.h>

#include <inttypes.h>
#include <stdlib.h>

#include "master/conf/setting.h"
#include "master/conf/value.h"

/* The limits of a number, in words. */
static void
wrong_number(struct reading *r, const struct setting *s, unsigned line,
    const char *value, enum value_unit unit)
{
	static const char *const what[] = {
		[VALUE_PLAIN] = "a number",
		[VALUE_SIZE] = "a size (K, M, G)",
		[VALUE_TIME] = "a time (s, m, h, d)",
	};
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];

	value_format(min, s->min, unit);
	value_format(max, s->max, unit);
	problems_add(r->problems, line,
	    "%s = \"%s\" is wrong; %s from %s to %s would be right", s->name,
	    value, what[unit], min, max);
}

static bool
read_number(struct reading *r, const struct setting *s, unsigned line,
    const char *value, enum value_unit unit, uint64_t *n)
{
	if (value_number(span_of(value), unit, n) && *n >= s->min &&
	    *n <= s->max)
		return true;
	wrong_number(r, s, line, value, unit);
	return false;
}

static void
read_size(struct reading *r, const struct setting *s, void *base, unsigned line,
    const char *value)
{
	uint64_t n;

	if (read_number(r, s, line, value, VALUE_SIZE, &n))
		memcpy((char *)base + s->at, &n, sizeof n);
}

static void
read_u32(struct reading *r, const struct setting *s, void *base, unsigned line,
    const char *value, enum value_unit unit)
{
	uint64_t n;
	uint32_t narrow;

	if (!read_number(r, s, line, value, unit, &n))
		return;
	narrow = (uint32_t)n;
	memcpy((char *)base + s->at, &narrow, sizeof narrow);
}

static void
read_count(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	read_u32(r, s, base, line, value, VALUE_PLAIN);
}

static void
read_time(struct reading *r, const struct setting *s, void *base, unsigned line,
    const char *value)
{
	read_u32(r, s, base, line, value, VALUE_TIME);
}

static void
read_hostname(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct span name = span_of(value);

	if (value[0] == '[' || !address_domain_ok(name) ||
	    !span_copy((char *)base + s->at, CONF_HOST_MAX + 1, name))
		setting_wrong(r, s, line, value);
}

static void
read_directory(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	char *path = (char *)base + s->at;

	if (!setting_path(r, path, CONF_PATH_MAX, value)) {
		setting_wrong(r, s, line, value);
		return;
	}
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/';)
		path[--n] = '\0';
	/* `max` is what a path below it must fit into. */
	if (strlen(path) > s->max)
		problems_add(r->problems, line,
		    "%s has a path of %zu bytes; at most %u would be right",
		    s->name, strlen(path), (unsigned)s->max);
}

static void
read_address(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct address a;

	if (address_parse(&a, span_of(value)) == -1 ||
	    !span_copy((char *)base + s->at, ADDRESS_MAX + 1, span_of(a.text)))
		setting_wrong(r, s, line, value);
}

static void
read_sandbox(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf *c = base;

	c->seccomp_only = strcmp(value, "seccomp-only") == 0;
	if (!c->seccomp_only && strcmp(value, "full") != 0)
		setting_wrong(r, s, line, value);
}

static void
read_log(struct reading *r, const struct setting *s, void *base, unsigned line,
    const char *value)
{
	struct conf *c = base;

	c->log_json = strcmp(value, "json") == 0;
	if (!c->log_json && strcmp(value, "text") != 0)
		setting_wrong(r, s, line, value);
}

static void
read_log_to(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf *c = base;
	size_t size = sizeof c->log_socket;

	c->log_socket[0] = '\0';
	if (strcmp(value, "syslog") == 0)
		span_copy(c->log_socket, size, SPAN("/dev/log"));
	else if (strcmp(value, "stderr") != 0 &&
	    (!span_starts(span_of(value), "syslog:") ||
		!setting_path(
		    r, c->log_socket, size, value + strlen("syslog:"))))
		setting_wrong(r, s, line, value);
}

static void
read_relay_from(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf *c = base;
	struct netblock block, *b;

	if (*value == '\0') /* {} is nobody */
		return;
	if (!netblock_parse(&block, span_of(value))) {
		setting_wrong(r, s, line, value);
		return;
	}
	b = setting_grow(r, &c->relay_from, &c->nrelay_from, sizeof *b);
	if (b != NULL)
		*b = block;
}

static void
read_commands_off(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	static const enum reply_command may_be_off[] = { CMD_VRFY, CMD_EXPN,
		CMD_HELP };
	struct conf *c = base;

	if (*value == '\0') /* {} is none */
		return;
	for (size_t i = 0; i < sizeof may_be_off / sizeof *may_be_off; i++)
		if (span_is(
			span_of(value), reply_command_name(may_be_off[i]))) {
			c->commands_off |= 1u << may_be_off[i];
			return;
		}
	setting_wrong(r, s, line, value);
}

/* "ADDR", "ADDR:PORT" as listen has it, or libunbound's "ADDR@PORT". */
static void
read_resolver(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf *c = base;
	struct conf_resolver *one;
	struct span address = span_of(value), port = address;
	char host[IP_TEXT_MAX];
	uint16_t number = 53;
	uint64_t n = number;
	struct ip ip;

	if (*value == '\0')
		return;
	address = span_cut(&port, '@');
	if (ip_parse(&ip, address)) {
		if (port.n > 0 && !span_number(port, UINT16_MAX, &n))
			n = 0;
	} else if (value_endpoint(span_of(value), host, sizeof host, &number) &&
	    ip_parse(&ip, span_of(host)))
		n = number;
	else
		n = 0;
	if (n == 0) {
		setting_wrong(r, s, line, value);
		return;
	}
	one = setting_grow(r, &c->resolvers, &c->nresolvers, sizeof *one);
	if (one == NULL)
		return;
	ip_format(host, &ip);
	snprintf(one->address, sizeof one->address, "%s@%u", host, (unsigned)n);
}

#define AT(field) offsetof(struct conf, field)
#define K	  UINT64_C(1024)
#define M	  (1024 * K)
#define G	  (1024 * M)
#define DAY	  (24 * 60 * 60)
#define YEAR	  (366 * DAY)
/* A Unix socket's path ends with a NUL. */
#define RUNTIME_MAX \
	(sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/control.sock")
/* What queue makes below it: content/ and an id, and more. */
#define SPOOL_MAX (CONF_PATH_MAX - 64)

static const char address_right[] = "an address like \"192.0.2.1\" or "
				    "\"[::1]:5353\"";

static const struct setting settings[] = {
	/* name, reader, default, field, min, max, what would be right */
	{ "hostname", read_hostname, NULL, AT(hostname), 0, 0,
	    "a domain name like \"mail.example.org\"", false },
	{ "spool", read_directory, "/var/spool/sallyport", AT(spool), 0,
	    SPOOL_MAX, "a directory", false },
	{ "runtime", read_directory, CONF_RUNTIME, AT(runtime), 0, RUNTIME_MAX,
	    "a directory", false },
	{ "postmaster", read_address, NULL, AT(postmaster), 0, 0,
	    "an address like \"root@example.org\"", false },
	{ "sandbox", read_sandbox, "full", AT(seccomp_only), 0, 0,
	    "\"full\" or \"seccomp-only\"", false },
	{ "log", read_log, "text", 0, 0, 0, "\"text\" or \"json\"", false },
	{ "log_to", read_log_to, "stderr", 0, 0, 0,
	    "\"stderr\", \"syslog\" or \"syslog:PATH\"", false },
	{ "relay_from", read_relay_from, "127.0.0.0/8 ::1/128", 0, 0, 0,
	    "a block like \"192.0.2.0/24\" or \"2001:db8::/32\"", true },
	{ "disclose", setting_read_choice, "no", AT(disclose), 0, 0,
	    "\"no\" or \"yes\"", false },
	{ "early_talkers", setting_read_choice, "refuse", AT(early_talkers), 0,
	    0, "\"refuse\" or \"allow\"", false },
	{ "send", setting_read_choice, "off", AT(send_mailbox), 0, 0,
	    "\"off\" or \"mailbox\"", false },
	{ "commands_off", read_commands_off, NULL, 0, 0, 0,
	    "\"VRFY\", \"EXPN\" or \"HELP\"", true },
	{ "resolver", read_resolver, NULL, 0, 0, 0, address_right, true },

	{ "message_size", read_size, "50M", AT(message_size), K, 2 * G, NULL,
	    false },
	{ "spool_reserve", read_size, "32M", AT(spool_reserve), 0, 1024 * G,
	    NULL, false },
	{ "segment_size", read_size, "16M", AT(segment_size), M, G, NULL,
	    false },
	{ "history_size", read_size, "1G", AT(history_size), M, 1024 * G, NULL,
	    false },

	{ "max_sessions", read_count, "20000", AT(max_sessions), 1, 500000,
	    NULL, false },
	{ "max_sessions_per_client", read_count, "0",
	    AT(max_sessions_per_client), 0, 500000, NULL, false },
	{ "max_recipients", read_count, "1000", AT(max_recipients), 1, 100000,
	    NULL, false },
	{ "max_useless_commands", read_count, "100", AT(max_useless), 1,
	    1000000, NULL, false },
	/* RFC 5321 section 4.5.3.1.4: at least 512 octets */
	{ "max_line", read_count, "2048", AT(max_line), 512, 65536, NULL,
	    false },
	{ "smtpd_processes", read_count, "0", AT(smtpd_processes), 0, 256, NULL,
	    false },
	{ "session_processes", read_count, "200", AT(session_processes), 1,
	    10000, NULL, false },
	{ "min_uid", read_count, "1000", AT(min_uid), 1, INT32_MAX, NULL,
	    false },
	{ "host_concurrency", read_count, "20", AT(host_concurrency), 1, 10000,
	    NULL, false },
	{ "local_concurrency", read_count, "20", AT(local_concurrency), 1,
	    10000, NULL, false },

	{ "command_timeout", read_time, "5m", AT(command_timeout), 1, DAY, NULL,
	    false },
	{ "data_timeout", read_time, "5m", AT(data_timeout), 1, DAY, NULL,
	    false },
	{ "connect_timeout", read_time, "30s", AT(connect_timeout), 1, DAY,
	    NULL, false },
	{ "retry_first", read_time, "5m", AT(retry_first), 1, 30 * DAY, NULL,
	    false },
	{ "retry_max", read_time, "4h", AT(retry_max), 1, 30 * DAY, NULL,
	    false },
	{ "expire", read_time, "5d", AT(expire), 1, YEAR, NULL, false },
	{ "history", read_time, "7d", AT(history), 0, 10 * (uint64_t)YEAR, NULL,
	    false },

	{ "aliases", setting_read_unsupported, NULL, 0, 0, 0, NULL, false },
};

static void *
open_top(struct reading *r, unsigned line, const char *title)
{
	(void)line;
	(void)title;
	return r->conf;
}

static void
close_top(struct reading *r, void *base, unsigned line)
{
	struct conf *c = base;

	(void)line;
	if (c->retry_first > c->retry_max)
		problems_add(r->problems, 0,
		    "retry_first is longer than retry_max; the other way "
		    "round would be right");
	if (conf_segment_size_for(c->max_recipients) > c->segment_size)
		problems_add(r->problems, 0,
		    "a message for max_recipients = %" PRIu32
		    " does not fit into segment_size; segment_size = "
		    "\"%" PRIu64 "M\" would be right",
		    c->max_recipients,
		    conf_segment_size_for(c->max_recipients) >> 20);
	if (strcmp(c->spool, c->runtime) == 0)
		problems_add(r->problems, 0,
		    "spool and runtime are the same; two directories would be "
		    "right");
}

const struct setting_place *
setting_top(void)
{
	static const struct setting_place place = { "", settings,
		sizeof settings / sizeof settings[0], open_top, close_top };

	return &place;
}
