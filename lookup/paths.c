/*
 * paths.c - templates of mailboxes.
 */
#include "lookup/paths.h"

static bool
add(char dst[CONF_PATH_MAX], size_t *n, struct span s)
{
	if (s.n >= CONF_PATH_MAX - *n)
		return false;
	memcpy(dst + *n, s.p, s.n);
	*n += s.n;
	dst[*n] = '\0';
	return true;
}

bool
path_expand(
    char dst[CONF_PATH_MAX], const struct conf_domain *d, struct span user)
{
	struct span t = span_of(d->path);
	size_t n = 0;
	bool fits = true;

	dst[0] = '\0';
	if (span_starts(t, "~/"))
		t = span_skip(t, 2);
	while (t.n > 0 && fits) {
		size_t plain = 0;

		while (plain < t.n && t.p[plain] != '%')
			plain++;
		fits = add(dst, &n, span_from(t.p, plain));
		t = span_skip(t, plain);
		if (t.n < 2) {
			fits = fits && add(dst, &n, t);
			break;
		}
		if (t.p[1] == 'u')
			fits = fits && add(dst, &n, user);
		else if (t.p[1] == 'd')
			fits = fits && add(dst, &n, span_of(d->name));
		else
			fits = fits &&
			    add(dst, &n, span_from(t.p, t.p[1] == '%' ? 1 : 2));
		t = span_skip(t, 2);
	}
	if (!fits || n == 0)
		dst[0] = '\0';
	return dst[0] != '\0';
}

bool
path_of_mailbox(
    char dst[CONF_PATH_MAX], const struct conf_domain *d, struct span mailbox)
{
	const char *slash = strrchr(d->users_file, '/');
	size_t n = 0;

	dst[0] = '\0';
	if (mailbox.p[0] != '/' &&
	    (slash == NULL ||
		!add(dst, &n,
		    span_from(
			d->users_file, (size_t)(slash - d->users_file) + 1))))
		return false;
	if (add(dst, &n, mailbox))
		return true;
	dst[0] = '\0';
	return false;
}
