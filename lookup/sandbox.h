/*
 * sandbox.h - what lookup may do once it talks to the other processes.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "common/run/conf.h"
#include "common/run/confine.h"

/* The limits for this configuration: its table directories, to read.  Once in a
 * process; fatal() where memory ends. */
const struct confine *lookup_sandbox(const struct conf *);

#endif
