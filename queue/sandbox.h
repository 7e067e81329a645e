/*
 * sandbox.h - what is left to queue when it is confined.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "common/run/process.h"

const struct confine *queue_sandbox(struct process *);

#endif
