/*
 * client.c - a client by hand; see client.h.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/seams/client.h"
#include "tests/seams/seam.h"

static void
await(int fd, short what)
{
	struct pollfd p = { .fd = fd, .events = what };

	ck_assert_msg(poll(&p, 1, SEAM_MS) == 1, "nothing happened");
}

int
client_connect(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sin, sizeof sin), 0);
	return fd;
}

void
client_send(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done;

		await(fd, POLLOUT);
		done = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done == -1 && errno == ENOTSOCK) /* a pipe */
			done = write(fd, p, n);
		ck_assert_int_gt(done, 0);
		p += done;
		n -= (size_t)done;
	}
}

void
client_say(int fd, const char *line)
{
	char text[4096];
	int n = snprintf(text, sizeof text, "%s\r\n", line);

	client_send(fd, text, (size_t)n);
}

/* True if others of the same reply follow. */
static bool
expect_line(int fd, const char *beginning)
{
	char line[4096];
	size_t n = 0;

	do {
		await(fd, POLLIN);
		ck_assert_uint_lt(n, sizeof line - 1);
		ck_assert_msg(
		    read(fd, line + n, 1) == 1, "end, not %s", beginning);
	} while (line[n++] != '\n');
	line[n] = '\0';
	ck_assert_msg(strncmp(line, beginning, strlen(beginning)) == 0,
	    "%s, not %s", line, beginning);
	return line[3] == '-';
}

void
client_expect(int fd, const char *beginning)
{
	expect_line(fd, beginning);
}

void
client_expect_lines(int fd, const char *code)
{
	while (expect_line(fd, code))
		continue;
}

void
client_expect_end(int fd)
{
	char c;

	await(fd, POLLIN);
	ck_assert_int_eq(read(fd, &c, 1), 0);
	close(fd);
}
