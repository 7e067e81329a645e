/*
 * client.h - the client of a server, line by line.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>
#include <stdint.h>

/* To 127.0.0.1. */
int client_connect(uint16_t port);
void client_send(int fd, const char *, size_t);
void client_say(int fd, const char *); /* with CRLF */
/* A line of the server, which begins so. */
void client_expect(int fd, const char *beginning);
/* A whole reply, of however many lines. */
void client_expect_lines(int fd, const char *code);
/* The end of the connection, and nothing before it. */
void client_expect_end(int fd);

#endif
