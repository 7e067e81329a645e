/*
 * fuzz_proxy.c - a PROXY header is the same in any pieces, and ends.
 */
#include <stdlib.h>

#include "smtpd/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* What is said as soon as anything is. */
static enum proxy_result
feed(struct span all, size_t step, struct ip *ip, size_t *used)
{
	enum proxy_result result = PROXY_MORE;
	size_t n = 0;

	while (result == PROXY_MORE && n < all.n) {
		struct span in;

		n = all.n - n < step ? all.n : n + step;
		in = span_from(all.p, n);
		result = proxy_read(&in, ip);
		must(in.p + in.n == all.p + n);
		must(result != PROXY_MORE || in.n == n);
		*used = n - in.n;
	}
	/* So much is enough to tell. */
	must(result != PROXY_MORE || all.n < PROXY_MAX);
	return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_from(data, size);
	struct ip one, all;
	size_t used_one = 0, used_all = 0;
	enum proxy_result result = feed(in, size + 1, &all, &used_all);

	must(feed(in, 1, &one, &used_one) == result);
	if (result == PROXY_ADDRESS)
		must(memcmp(&one, &all, sizeof one) == 0);
	if (result == PROXY_ADDRESS || result == PROXY_ITSELF)
		must(used_one == used_all && used_one <= PROXY_MAX);
	return 0;
}
