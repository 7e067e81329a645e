/*
 * programs.h - finding and starting the other programs of the package.
 */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include "common/run/conf.h"

/* The configuration where none is named. */
#define CONF_FILE SYSCONFDIR "/sallyport/sallyport.conf"

/* One of libexec, or `sallyport` itself; ends with a message and status 1 where
 * it cannot be started. */
_Noreturn void program_exec(const char *name, const char *const argv[]);

/* What the program `config` makes of the file; NULL: it has said on standard
 * error what is wrong.  To be freed by conf_free and free. */
struct conf *program_conf(const char *file);

#endif
