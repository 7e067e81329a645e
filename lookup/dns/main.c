/*
 * main.c - the program `resolver`: see resolver.h and resolver(8).
 */
#include "lookup/dns/resolver.h"

int
main(int argc, char **argv)
{
	static struct resolver resolver;

	return process_main(&resolver_ops, &resolver, argc, argv);
}
