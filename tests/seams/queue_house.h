/*
 * queue_house.h - the real queue, and a test that is master, smtpd, lookup,
 * local, remote and control at once: what each of them says and expects.
 */
#ifndef QUEUE_HOUSE_H
#define QUEUE_HOUSE_H

#include "common/msg/control.h"
#include "common/msg/queue_agent.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/seam.h"

struct queue_house {
	struct seam d;
	char spool[64];
	struct conf conf; /* a test may change it before it begins */
	int smtpd, lookup, local, remote, control;
	uint32_t number;	     /* of smtpd's last request */
	struct ipc_msg k;	     /* the last one that came */
	struct msg_deliver delivery; /* the last one; borrows from k */
	struct msg_page page;	     /* the same */
};

/* Before and after each test. */
struct queue_house *set_up(void);
void tear_down(void);

void start(void); /* the process and its channels; mail is accepted */
void begin(void); /* the same, and both agents have said HELLO */
void stop(void);  /* it ends well */
void kill_queue(void);
void hang_up(void); /* all channels */
void silence(int channel);
/* What was said was wrong: the channel is closed, and master hears of it. */
void refused(int channel, enum peer kind);

/* smtpd */
void expect_state(unsigned code);
struct envelope envelope(const char *from, uint32_t nrcpts);
void submit(
    const char *from, const char *const *to, uint32_t n, const char *text);
uint64_t accepted(void); /* the id in the answer */
void not_accepted(unsigned code);
uint64_t submit_one(const char *from, const char *to, const char *text);
char *make_content(size_t n);
/* OPEN with n of `all` recipients; the writing end of the pipe. */
int open_message(
    const char *from, const char *const *to, uint32_t n, uint32_t all);
void write_all(int fd, const char *p, size_t n);
void end_message(uint64_t size);

/* lookup */
uint32_t asked(const char *rcpt); /* the request's id */
void answer_route(uint32_t id, unsigned code, const struct route *route);
void to_mailbox(const char *rcpt, const char *user);
void to_host(const char *rcpt, const char *host);

/* agents */
void hello(int agent);
void underway(
    int agent, const struct handout *h, const uint32_t *rcpts, uint32_t n);
void delivered_to(int agent, uint64_t id, const char *rcpt);
void content_has(const char *text);
void send_result(int agent, const struct handout *h, const uint32_t *rcpts,
    uint32_t n, unsigned code, enum reply_scope scope, bool last);
void recorded(int agent, const struct handout *h);
/* All of the last hand-out has this reply, and it is recorded. */
void result(int agent, unsigned code, enum reply_scope scope);

/* control */
void act(enum control_verb verb, bool dry, const char *id);
uint64_t count(void);
void counted(uint64_t n); /* what was recorded is counted a moment later */

#endif
