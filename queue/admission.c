/*
 * admission.c - is there room for new mail?
 *
 * Results need less than mail and come from it, so mail is refused while there
 * is still room for them: below the reserve, or at the last spare.
 */
#include <sys/statvfs.h>

#include <errno.h>
#include <time.h>

#include "queue/store_state.h"

static int64_t
monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void
check_reserve(struct store *s)
{
	int64_t now = monotonic();
	struct statvfs fs;

	if (s->opt.reserve == 0 || now == s->checked)
		return;
	s->checked = now;
	if (fstatvfs(s->dir, &fs) == 0)
		s->below_reserve =
		    (uint64_t)fs.f_bavail * fs.f_frsize < s->opt.reserve;
}

static enum reply_name
judge(struct store *s)
{
	if (!s->writable)
		return s->head_error == ENOSPC || s->head_error == EDQUOT
		    ? R_NO_SPACE
		    : R_QUEUE_ERROR;
	check_reserve(s);
	if (s->below_reserve || (s->nspares <= 1 && s->spare_error != 0))
		return R_NO_SPACE;
	return R_DONE;
}

void
admission_update(struct store *s)
{
	const struct timeval second = { .tv_sec = 1 };
	enum reply_name name = judge(s);
	uint16_t was = s->admission.code;

	reply_make(&s->admission, name, NULL);
	/* Room is noticed as soon as there is some; its end, by those who ask. */
	if (name != R_DONE && s->recheck != NULL &&
	    !evtimer_pending(s->recheck, NULL))
		evtimer_add(s->recheck, &second);
	if (s->admission.code != was && was != 0 &&
	    s->admission_changed != NULL)
		s->admission_changed(s->admission_arg);
}

void
admission_on_recheck(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	admission_update(arg);
}

const struct reply *
store_admission(struct store *s)
{
	admission_update(s);
	return &s->admission;
}

void
store_on_admission(struct store *s, void (*changed)(void *arg), void *arg)
{
	s->admission_changed = changed;
	s->admission_arg = arg;
}

bool
store_writable(const struct store *s)
{
	return s->writable;
}
