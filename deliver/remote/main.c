/*
 * main.c - the program `remote`: see remote.h and remote(8).
 */
#include "deliver/remote/remote.h"

int
main(int argc, char **argv)
{
	static struct remote remote;

	return process_main(&remote_ops, &remote, argc, argv);
}
