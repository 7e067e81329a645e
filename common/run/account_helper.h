/*
 * account_helper.h - the helper of account.h: a question is a name (a packet),
 * its answer a struct account coded as below.
 */
#ifndef ACCOUNT_HELPER_H
#define ACCOUNT_HELPER_H

#include "common/run/account.h"

#define ACCOUNT_ANSWER_MAX \
	(CONF_PATH_MAX + CONF_USER_MAX + 4 * ACCOUNT_GROUPS_MAX + 64)

void account_put(struct wire_put *, const struct account *);
/* All but the name, which the one who asked knows. */
void account_get(struct wire_get *, struct account *);

/* Confined; answers until the other end is closed. */
_Noreturn void account_helper(
    int fd, const struct conf *, const char *user, bool groups);

#endif
