/*
 * packet.h - the records of an answer out of a DNS message (RFC 1035 section
 * 4).
 *
 * libunbound gives messages as they travel.  Every length and pointer in one is
 * checked; a record that makes no sense is left out, a message that makes none
 * is a failed lookup.
 */
#ifndef PACKET_H
#define PACKET_H

#include "common/mail/netblock.h"
#include "common/run/conf.h"

/* RFC 1035 section 3.2.2, RFC 3596. */
#define PACKET_A     1
#define PACKET_MX    15
#define PACKET_AAAA  28
#define PACKET_CLASS 1 /* IN */

#define PACKET_RECORDS_MAX 64

enum packet_status {
	PACKET_FOUND,	/* there are such records; those of use are in r */
	PACKET_NODATA,	/* the name exists, such records do not */
	PACKET_NO_NAME, /* NXDOMAIN */
	PACKET_FAILED	/* SERVFAIL, no answer, nonsense */
};

struct packet_record {
	uint16_t preference;	      /* MX */
	char host[CONF_HOST_MAX + 1]; /* MX, lower case; "" is the root */
	struct ip ip;		      /* A, AAAA */
};

struct packet_records {
	enum packet_status status;
	uint32_t n;
	struct packet_record r[PACKET_RECORDS_MAX];
};

/* The records of `type` in the answer section; `rcode` is what libunbound says
 * beside the message. */
void packet_parse(
    struct packet_records *, uint16_t type, int rcode, struct span message);

#endif
