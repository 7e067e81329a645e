/*
 * users_table.h - the text of a users file as a table, without I/O.
 *
 *   # comment
 *   alice
 *   bob    mailbox=/srv/mail/robert quota=1G
 *
 * A line is a local part and, separated by blanks, key=value.  Case does not
 * matter in a local part.  A line that is wrong is reported, and the recipient
 * it names, if that can be read, is found as wrong: its mail waits, nobody
 * else's does.
 *
 * In a file of users that moved a line is a local part and, behind blanks, the
 * new address.
 */
#ifndef USERS_TABLE_H
#define USERS_TABLE_H

#include "lookup/tables/table_file.h"

enum users_form { USERS_FORM_VALUES, USERS_FORM_MOVED };

struct users_entry {
	struct span local;  /* in lower case */
	struct span values; /* key=value …, or the new address; checked */
	uint32_t line;
	bool wrong;
};

struct users_table {
	char *text;		     /* what the entries point into */
	struct users_entry *entries; /* sorted by local part */
	size_t n, cap;
	size_t passwords; /* entries that have one */
	struct table_problems problems;
};

/* Takes over `text` (malloc, n bytes), and changes it.  0, or -1 with errno;
 * the table is then empty and the text freed. */
int users_table_parse(
    struct users_table *, enum users_form, char *text, size_t n);
void users_table_fini(struct users_table *);

/* NULL: no such local part.  In any case of letters. */
const struct users_entry *users_table_find(
    const struct users_table *, struct span local);
/* What stands behind `key=`; "" where it is not there. */
struct span users_entry_value(const struct users_entry *, const char *key);

/* A local part that is safe as a name in a path: neither empty nor longer than
 * 64, no '/', control or 8-bit character, neither '.' nor '-' in front. */
bool users_local_ok(struct span local);

#endif
