/*
 * given.c - see given.h.
 */
#include <bsd/sys/tree.h>

#include <stdlib.h>

#include <sodium.h>

#include "queue/given.h"

#define HASH_SIZE 16 /* so that no two addresses share one */

struct one {
	RB_ENTRY(one) entry;
	uint64_t message;
	uint8_t hash[HASH_SIZE];
	uint32_t rcpt;
};

RB_HEAD(ones, one);

struct given {
	struct ones ones; /* by message, then hash */
	size_t n;
	uint8_t key[crypto_generichash_KEYBYTES];
};

static int
one_cmp(const struct one *a, const struct one *b)
{
	if (a->message != b->message)
		return a->message < b->message ? -1 : 1;
	return memcmp(a->hash, b->hash, HASH_SIZE);
}

RB_GENERATE_INTERNAL(
    ones, one, entry, one_cmp, __attribute__((__unused__)) static)

struct given *
given_new(void)
{
	struct given *g = calloc(1, sizeof *g);

	if (g == NULL)
		return NULL;
	RB_INIT(&g->ones);
	randombytes_buf(g->key, sizeof g->key);
	return g;
}

static void
drop(struct given *g, struct one *o)
{
	RB_REMOVE(ones, &g->ones, o);
	g->n--;
	free(o);
}

void
given_free(struct given *g)
{
	struct one *o;

	if (g == NULL)
		return;
	while ((o = RB_ROOT(&g->ones)) != NULL)
		drop(g, o);
	free(g);
}

static void
hash(const struct given *g, struct one *o, struct span address, bool again)
{
	crypto_generichash_state st;
	uint8_t kind = again;

	crypto_generichash_init(&st, g->key, sizeof g->key, HASH_SIZE);
	crypto_generichash_update(&st, &kind, 1);
	crypto_generichash_update(&st, (const uint8_t *)address.p, address.n);
	crypto_generichash_final(&st, o->hash, HASH_SIZE);
}

bool
given_add(struct given *g, uint64_t message, uint32_t rcpt, struct span address,
    bool again)
{
	struct one key = { .message = message, .rcpt = rcpt }, *o;

	hash(g, &key, address, again);
	if ((o = RB_FIND(ones, &g->ones, &key)) != NULL)
		return o->rcpt == rcpt;
	if (g->n >= GIVEN_MAX || (o = malloc(sizeof *o)) == NULL)
		return true;
	*o = key;
	RB_INSERT(ones, &g->ones, o);
	g->n++;
	return true;
}

/* Those of the message are neighbours. */
static struct one *
first_of(struct given *g, uint64_t message)
{
	struct one key = { .message = message }, *o;

	o = RB_NFIND(ones, &g->ones, &key);
	return o != NULL && o->message == message ? o : NULL;
}

void
given_take_back(struct given *g, uint64_t message, uint32_t rcpt)
{
	struct one *o = first_of(g, message), *next;

	for (; o != NULL && o->message == message; o = next) {
		next = RB_NEXT(ones, &g->ones, o);
		if (o->rcpt == rcpt)
			drop(g, o);
	}
}

void
given_forget(struct given *g, uint64_t message)
{
	struct one *o;

	while ((o = first_of(g, message)) != NULL)
		drop(g, o);
}

size_t
given_count(const struct given *g)
{
	return g->n;
}
