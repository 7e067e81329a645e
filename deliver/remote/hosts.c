/*
 * hosts.c - the hosts of a next hop; see hosts.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "deliver/remote/hosts.h"
#include "deliver/remote/remote.h"

void
hosts_release(struct hosts *h)
{
	if (h != NULL && --h->refs == 0)
		free(h);
}

void
hosts_name(char dst[CONF_HOST_MAX + 1], const struct dns_address *a)
{
	char ip[IP_TEXT_MAX];

	ip_format(ip, &a->ip);
	snprintf(dst, CONF_HOST_MAX + 1, "%.*s [%s]",
	    CONF_HOST_MAX - IP_TEXT_MAX - 3, a->host, ip);
}

struct hosts *
hosts_new(const struct msg_dns_answer *a)
{
	struct hosts *h = calloc(1, sizeof *h + a->n * sizeof a->a[0]);

	if (h == NULL)
		return NULL;
	h->refs = 1;
	h->until = remote_now() + HOSTS_SECONDS * 1000;
	h->n = a->n;
	memcpy(h->a, a->a, a->n * sizeof a->a[0]);
	return h;
}

/* A host that refuses for good does so at once: they may all be asked. */
static bool
tried_enough(const struct delivery *v)
{
	return v->ntried >= HOSTS_TRIES && reply_class(&v->last) != 5;
}

int
hosts_choose(const struct delivery *v, uint64_t open)
{
	const struct hosts *h = v->hosts;
	uint64_t out = v->tried | h->failed, full = h->full & open;
	int none = HOSTS_NONE;

	if (tried_enough(v))
		return HOSTS_NONE;
	for (uint32_t i = 0; i < h->n; i++) {
		uint64_t bit = UINT64_C(1) << i;

		if ((out & bit) != 0)
			continue;
		if ((full & bit) == 0)
			return (int)i;
		none = HOSTS_WAIT;
	}
	return none;
}
