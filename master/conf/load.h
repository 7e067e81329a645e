/*
 * load.h - a configuration file, from its bytes to a struct conf.
 */
#ifndef LOAD_H
#define LOAD_H

#include "common/run/conf.h"
#include "master/conf/record.h"

/* 0, or -1 with problems added; in both cases conf_free() is due.  What is in
 * force goes into the record, where there is one (NULL: none). */
int load_file(
    struct conf *, const char *path, struct problems *, struct record *);

#endif
