/*
 * load.h - a configuration file, from its bytes to a struct conf.
 */
#ifndef LOAD_H
#define LOAD_H

#include "common/run/conf.h"
#include "master/conf/problems.h"

/* 0, or -1 with problems added; in both cases conf_free() is due. */
int load_file(struct conf *, const char *path, struct problems *);

#endif
