/*
 * test_client.c - the client dialogue against scripted servers, each script fed
 * whole and octet by octet.
 */
#include "tests/unit/remote/play.h"

#define GREET \
	{ \
		FEED, "220 mx ESMTP\r\n", "EHLO me.example\r\n", "" \
	}
#define EHLO_PIPE \
	{ \
		FEED, \
		    "250-mx\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 " \
		    "PIPELINING\r\n", \
		    "", "ready;" \
	}
#define EHLO_BINARY \
	{ \
		FEED, \
		    "250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 " \
		    "BINARYMIME\r\n", \
		    "", "ready;" \
	}
#define EHLO_PLAIN \
	{ \
		FEED, "250 mx\r\n", "", "ready;" \
	}
#define M1    "MAIL FROM:<s@a.example>\r\n"
#define MPIPE "MAIL FROM:<s@a.example> SIZE=105\r\n"
#define R0    "RCPT TO:<r0@b.example>\r\n"
#define R1    "RCPT TO:<r1@b.example>\r\n"
#define R2    "RCPT TO:<r2@b.example>\r\n"

static const struct script scripts[] = {
	{ .name = "one recipient, no extension", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "250 ok\r\n", "DATA\r\n", "" },
		{ FEED, "354 go\r\n", "", "content;" },
		{ SENT, "250 2.0.0 queued as 7\r\n", "", "result 250 0;ready;" },
		{ QUIT, "221 bye\r\n", "QUIT\r\n", "close;" },
	} },
	{ .name = "pipelined, two of three accepted", .nrcpts = 3, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 R1 R2 "DATA\r\n", "" },
		{ FEED, "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n251 will forward\r\n354 go\r\n", "",
		    "result 550 1;content;" },
		{ SENT, "250 ok\r\n", "", "result 250 0 2;ready;" },
		/* no RSET after a success */
		{ MAIL, "", MPIPE R0 R1 R2 "DATA\r\n", "" },
	} },
	{ .name = "only those without a result are tried", .nrcpts = 3, .done = 5, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R1, "" },
		{ FEED, "250 ok\r\n", "DATA\r\n", "" },
		{ FEED, "354 go\r\n", "", "content;" },
		{ SENT, "550 5.7.1 no\r\n", "", "result 550 1;ready;" },
	} },
	{ .name = "pipelined, none accepted, 354: a lone dot", .nrcpts = 2, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 R1 "DATA\r\n", "" },
		{ FEED, "250 ok\r\n550 no\r\n450 later\r\n354 go\r\n", ".\r\n",
		    "result 550 0;result 450 1;" },
		{ FEED, "250 taken\r\n", "", "ready;" },
	} },
	{ .name = "pipelined, none accepted, DATA refused: RSET before the next", .nrcpts = 1,
	    .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 "DATA\r\n", "" },
		{ FEED, "250 ok\r\n550 no\r\n554 no valid\r\n", "", "result 550 0;ready;" },
		{ MAIL, "", "RSET\r\n" MPIPE R0 "DATA\r\n", "" },
		{ FEED, "250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n", "", "content;" },
		{ SENT, "250 ok\r\n", "", "result 250 0;ready;" },
	} },
	{ .name = "plain, none accepted: no DATA, RSET before the next", .nrcpts = 2, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "550 no\r\n", R1, "result 550 0;" },
		{ FEED, "452 full\r\n", "", "result 452 1;ready;" },
		{ MAIL, "250 reset\r\n", "RSET\r\n" M1, "" },
	} },
	{ .name = "pipelined, MAIL refused: the rest is drained", .nrcpts = 2, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 R1 "DATA\r\n", "" },
		{ FEED, "550 5.1.8 no\r\n503 x\r\n503 x\r\n503 x\r\n", "", "result 550 0 1;ready;" },
	} },
	{ .name = "plain, MAIL refused: no RSET is due", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "451 later\r\n", M1, "result 451 0;ready;" },
		{ MAIL, "250 ok\r\n", M1 R0, "" },
	} },
	{ .name = "RSET refused", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "550 no\r\n", "", "result 550 0;ready;" },
		/* says nothing of the message */
		{ MAIL, "500 what\r\n", "RSET\r\n", "failed 451;" },
	} },
	{ .name = "DATA refused: result for the accepted, RSET before the next", .nrcpts = 2,
	    .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "250 ok\r\n", R1, "" },
		{ FEED, "550 no\r\n", "DATA\r\n", "result 550 1;" },
		{ FEED, "451 busy\r\n", "", "result 451 0;ready;" },
		{ MAIL, "250 ok\r\n", "RSET\r\n" M1, "" },
	} },
	{ .name = "EHLO unknown: HELO", .nrcpts = 1, .moves = {
		GREET,
		{ FEED, "500-SIZE 10\r\n500 what\r\n", "HELO me.example\r\n", "" },
		{ FEED, "250 hello\r\n", "", "ready;" },
		{ MAIL, "250 ok\r\n", M1 R0, "" },
	} },
	{ .name = "HELO refused too", .nrcpts = 1, .moves = {
		GREET,
		{ FEED, "502 what\r\n", "HELO me.example\r\n", "" },
		{ FEED, "550 no\r\n", "", "failed 550;" },
	} },
	{ .name = "EHLO refused for now", .moves = {
		GREET, { FEED, "450 later\r\n", "", "failed 450;" } } },
	{ .name = "greeting refused", .moves = { { FEED, "554-go\r\n554 away\r\n", "", "failed 554;" } } },
	{ .name = "greeting 421", .moves = { { FEED, "421 busy\r\n", "", "failed 421;" } } },
	{ .name = "a greeting of many lines", .moves = {
		{ FEED, "220-mx\r\n220-no spam\r\n220 please\r\n", "EHLO me.example\r\n", "" } } },
	{ .name = "no SMTP at all", .moves = { { FEED, "SSH-2.0-x\r\n", "", "failed 451;" } } },
	{ .name = "a bare LF", .moves = { { FEED, "220 mx\n250 x\r\n", "", "failed 451;" } } },
	{ .name = "lines of different codes", .moves = {
		{ FEED, "220-mx\r\n250 x\r\n", "", "failed 451;" } } },
	{ .name = "a 3yz greeting", .moves = { { FEED, "354 go\r\n", "", "failed 451;" } } },
	{ .name = "a 3yz answer to EHLO", .moves = {
		GREET, { FEED, "300 x\r\n", "", "failed 451;" } } },
	{ .name = "a reply before the question", .whole_only = true, .moves = {
		{ FEED, "220 mx\r\n250 too early\r\n", "", "failed 451;" } } },
	{ .name = "two replies to MAIL", .nrcpts = 1, .whole_only = true, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n250 ok\r\n", M1, "failed 451;" } } },
	{ .name = "a second reply with 354 would be the answer to the content", .nrcpts = 1,
	    .whole_only = true, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n250 done\r\n", MPIPE R0 "DATA\r\n",
		    "failed 451;" } } },
	{ .name = "a second reply at the end: the first counts, then it is over", .nrcpts = 1,
	    .whole_only = true, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ SENT, "250 ok\r\n250 ok\r\n", "", "result 250 0;close;" } } },
	{ .name = "421 to MAIL", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "421 enough\r\n", MPIPE R0 "DATA\r\n", "failed 421;" } } },
	{ .name = "421 after a refused recipient", .nrcpts = 2, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n550 no\r\n421 enough\r\n", MPIPE R0 R1 "DATA\r\n",
		    "result 550 0;failed 421;" } } },
	{ .name = "421 when every recipient has a result", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n550 no\r\n421 enough\r\n", MPIPE R0 "DATA\r\n",
		    "result 550 0;close;" } } },
	{ .name = "421 to DATA", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "250 ok\r\n", "DATA\r\n", "" },
		{ FEED, "421 enough\r\n", "", "failed 421;" } } },
	{ .name = "421 while the content is sent", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ FEED, "421 enough\r\n", "", "failed 421;" } } },
	{ .name = "552 while the content is sent", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ FEED, "552 too big\r\n", "", "result 552 0;close;" } } },
	{ .name = "250 while the content is sent is a lie", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ FEED, "250 done\r\n", "", "failed 451;" } } },
	{ .name = "421 to the end of data is a result", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ SENT, "421 enough\r\n", "", "result 421 0;close;" } } },
	{ .name = "354 to the end of data", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ SENT, "354 go\r\n", "", "result 451 0;close;" } } },
	{ .name = "250 to DATA", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n250 ok\r\n", MPIPE R0 "DATA\r\n", "failed 451;" } } },
	{ .name = "354 to RCPT", .nrcpts = 1, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "354 go\r\n", "", "failed 451;" } } },
	{ .name = "lost in the greeting", .moves = { { LOST, "", "", "failed 451;" } } },
	{ .name = "lost between RCPT and DATA", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n", MPIPE R0 "DATA\r\n", "" },
		{ LOST, "", "", "failed 451;" } } },
	{ .name = "lost while the content is sent", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ LOST, "", "", "failed 451;" } } },
	{ .name = "lost after the final dot: a result, for the accepted only", .nrcpts = 2,
	    .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n", MPIPE R0 R1 "DATA\r\n",
		    "result 550 1;content;" },
		{ SENT, "", "", "" },
		{ LOST, "", "", "result 451 0;close;" } } },
	{ .name = "timeout after the final dot", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 "DATA\r\n", "content;" },
		{ SENT, "250-o", "", "" },
		{ TIMEOUT, "", "", "result 451 0;close;" } } },
	{ .name = "a reply after the timeout is nobody's", .nrcpts = 1, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", MPIPE R0 "DATA\r\n", "" },
		{ TIMEOUT, "250 ok\r\n250 ok\r\n354 go\r\n", "", "failed 451;" } } },
	{ .name = "lost between transactions", .moves = {
		GREET, EHLO_PLAIN, { LOST, "", "", "close;" } } },
	{ .name = "the host says goodbye between transactions", .moves = {
		GREET, EHLO_PLAIN, { FEED, "421 idle\r\n", "", "close;" } } },
	{ .name = "message larger than announced", .nrcpts = 2, .size = 996, .moves = {
		GREET, EHLO_PIPE, { MAIL, "", "", "result 552 0 1;ready;" } } },
	{ .name = "message as large as announced", .nrcpts = 1, .size = 995, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", "MAIL FROM:<s@a.example> SIZE=1000\r\n" R0 "DATA\r\n", "" } } },
	{ .name = "SIZE without a number", .nrcpts = 1, .size = 5000, .moves = {
		GREET, { FEED, "250-mx\r\n250 SIZE\r\n", "", "ready;" },
		{ MAIL, "250 ok\r\n", "MAIL FROM:<s@a.example> SIZE=5005\r\n" R0, "" } } },
	{ .name = "no more recipients than the host takes at once", .nrcpts = 3, .moves = {
		GREET, { FEED, "250-mx\r\n250 LIMITS MAILMAX=9 RCPTMAX=2 X\r\n", "", "ready;" },
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "250 ok\r\n", R1, "" },
		{ FEED, "250 ok\r\n", "DATA\r\n", "" },
		{ FEED, "354 go\r\n", "", "content;" },
		{ SENT, "250 ok\r\n", "", "result 250 0 1;ready;" } } },
	{ .name = "a limit that is no number is none", .nrcpts = 2, .moves = {
		GREET, { FEED, "250-mx\r\n250 LIMITS RCPTMAX=-1\r\n", "", "ready;" },
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "250 ok\r\n", R1, "" },
		{ FEED, "250 ok\r\n", "DATA\r\n", "" } } },
	{ .name = "SMTPUTF8 to a host that has it", .nrcpts = 1, .utf8 = true, .moves = {
		GREET, { FEED, "250-mx\r\n250 SMTPUTF8\r\n", "", "ready;" },
		{ MAIL, "", "MAIL FROM:<s@a.example> SMTPUTF8\r\n", "" } } },
	{ .name = "SMTPUTF8 to one that has not", .nrcpts = 2, .utf8 = true, .moves = {
		GREET, EHLO_PIPE, { MAIL, "", "", "result 550 0 1;ready;" } } },
	{ .name = "binary content goes as one chunk", .nrcpts = 2, .binary = true, .moves = {
		GREET, EHLO_BINARY,
		{ MAIL, "", "MAIL FROM:<s@a.example> BODY=BINARYMIME\r\n" R0 R1, "" },
		{ FEED, "250 ok\r\n550 no\r\n250 ok\r\n", "BDAT 105 LAST\r\n",
		    "result 550 0;content;" },
		{ SENT, "250 ok\r\n", "", "result 250 1;ready;" } } },
	{ .name = "binary content, refused while it is sent", .nrcpts = 1, .binary = true,
	    .moves = {
		GREET, EHLO_BINARY,
		{ MAIL, "250 ok\r\n250 ok\r\n", "MAIL FROM:<s@a.example> BODY=BINARYMIME\r\n" R0
		    "BDAT 105 LAST\r\n", "content;" },
		{ FEED, "552 too big\r\n", "", "result 552 0;close;" } } },
	{ .name = "binary content, nobody is there", .nrcpts = 1, .binary = true, .moves = {
		GREET, EHLO_BINARY,
		{ MAIL, "250 ok\r\n550 no\r\n", "MAIL FROM:<s@a.example> BODY=BINARYMIME\r\n" R0,
		    "result 550 0;ready;" },
		{ MAIL, "", "RSET\r\nMAIL FROM:<s@a.example> BODY=BINARYMIME\r\n" R0, "" } } },
	{ .name = "binary content, MAIL refused", .nrcpts = 1, .binary = true, .moves = {
		GREET, EHLO_BINARY,
		{ MAIL, "550 no\r\n503 x\r\n", "MAIL FROM:<s@a.example> BODY=BINARYMIME\r\n" R0,
		    "result 550 0;ready;" } } },
	{ .name = "binary content, a reply too many", .nrcpts = 1, .binary = true,
	    .whole_only = true, .moves = {
		GREET, EHLO_BINARY,
		{ MAIL, "250 ok\r\n250 ok\r\n250 ok\r\n",
		    "MAIL FROM:<s@a.example> BODY=BINARYMIME\r\n" R0 "BDAT 105 LAST\r\n",
		    "content;failed 451;" } } },
	{ .name = "binary content, host has lines only", .nrcpts = 1, .binary = true, .moves = {
		GREET, EHLO_PIPE, { MAIL, "", "", "result 554 0;ready;" } } },
	{ .name = "binary content, host has chunks of lines", .nrcpts = 1, .binary = true,
	    .moves = {
		GREET, { FEED, "250-mx\r\n250 CHUNKING\r\n", "", "ready;" },
		{ MAIL, "", "", "result 554 0;ready;" } } },
	{ .name = "8-bit content, host can", .nrcpts = 1, .eight_bit = true, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "", "MAIL FROM:<s@a.example> SIZE=105 BODY=8BITMIME\r\n" R0 "DATA\r\n", "" } } },
	{ .name = "8-bit content, host cannot", .nrcpts = 2, .eight_bit = true, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ FEED, "250 ok\r\n", R1, "" },
		{ FEED, "550 no\r\n", "DATA\r\n", "result 550 1;" },
		{ FEED, "354 go\r\n", "", "content;" },
		{ EIGHT, "", "", "result 554 0;close;" } } },
	{ .name = "no memory for a command: the message waits", .nrcpts = 2, .moves = {
		GREET, EHLO_PLAIN,
		{ MAIL, "250 ok\r\n", M1 R0, "" },
		{ BROKEN, "", "", "result 451 0 1;close;" } } },
	{ .name = "no memory in the greeting", .nrcpts = 2, .moves = {
		GREET, { BROKEN, "", "", "failed 451;" } } },
	{ .name = "552 for too many recipients is 452", .nrcpts = 3, .moves = {
		GREET, EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n552 too many\r\n552 5.2.2 full\r\n354 go\r\n",
		    MPIPE R0 R1 R2 "DATA\r\n", "result 452 1;result 552 2;content;" } } },
	{ .name = "LMTP, a reply for each accepted recipient", .protocol = CLIENT_LMTP, .nrcpts = 3,
	    .moves = {
		{ FEED, "220 l\r\n", "LHLO me.example\r\n", "" },
		EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n",
		    MPIPE R0 R1 R2 "DATA\r\n", "result 550 1;content;" },
		{ SENT, "250 stored\r\n452-not\r\n452 now\r\n", "",
		    "result 250 0;result 452 2;ready;" },
	} },
	{ .name = "LMTP, lost between the replies", .protocol = CLIENT_LMTP, .nrcpts = 2, .moves = {
		{ FEED, "220 l\r\n", "LHLO me.example\r\n", "" },
		EHLO_PIPE,
		{ MAIL, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", MPIPE R0 R1 "DATA\r\n", "content;" },
		{ SENT, "250 stored\r\n", "", "result 250 0;" },
		{ LOST, "", "", "result 451 1;close;" } } },
	{ .name = "LMTP, LHLO unknown", .protocol = CLIENT_LMTP, .moves = {
		{ FEED, "220 l\r\n", "LHLO me.example\r\n", "" },
		{ FEED, "500 what\r\n", "", "failed 500;" } } },
};
#define NSCRIPTS (int)(sizeof scripts / sizeof scripts[0])

static void
play(const struct script *s, size_t piece)
{
	static struct play p;
	int i;

	start(&p, s);
	for (i = 0; i < MOVES_MAX && s->moves[i].in != NULL; i++) {
		move(&p, &s->moves[i], piece);
		ck_assert_msg(strcmp(p.out, s->moves[i].out) == 0,
		    "%s (%zu), move %d: wrote \"%s\"", s->name, piece, i,
		    p.out);
		ck_assert_msg(strcmp(p.events, s->moves[i].events) == 0,
		    "%s (%zu), move %d: events \"%s\"", s->name, piece, i,
		    p.events);
	}
	ck_assert_int_gt(i, 0);
	client_fini(&p.c);
}

START_TEST(the_dialogue_goes_as_written)
{
	play(&scripts[_i], SIZE_MAX / 2);
}
END_TEST

START_TEST(octet_by_octet_is_the_same)
{
	if (!scripts[_i].whole_only)
		play(&scripts[_i], 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("client");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, the_dialogue_goes_as_written, 0, NSCRIPTS);
	tcase_add_loop_test(t, octet_by_octet_is_the_same, 0, NSCRIPTS);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
