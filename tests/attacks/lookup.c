/* Ways to get a packet to the canary as if it were a lookup: port 53 is the one that datagrams are let through to. */
#include "attack.h"
#include <net/if.h>
#include <netinet/udp.h>

#define LOOKUPS 53

static int done(ssize_t sent)
{
	return sent < 0 ? -1 : 0;
}

static int lookup_sendto(void)
{
	struct sockaddr_in to = to4(CANARY4, LOOKUPS);
	return done(sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, ADDRESS(to)));
}

static int lookup6_sendto(void)
{
	struct sockaddr_in6 to = to6(CANARY6, LOOKUPS);
	return done(sendto(socket(AF_INET6, SOCK_DGRAM, 0), "x", 1, 0, ADDRESS(to)));
}

static int lookup_connected(void)
{
	struct sockaddr_in to = to4(CANARY4, LOOKUPS);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	if (connect(s, ADDRESS(to)))
		return -1;
	return done(send(s, "x", 1, 0));
}

static int lookup_mapped(void)
{
	struct sockaddr_in6 to = to6("::ffff:" CANARY4, LOOKUPS);
	return done(sendto(socket(AF_INET6, SOCK_DGRAM, 0), "x", 1, 0, ADDRESS(to)));
}

/* The interface is named beside the address: the way to the canary, whatever becomes of the address. */
static int lookup_by_interface(void)
{
	struct sockaddr_in to = to4(CANARY4, LOOKUPS);
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = { 0 };
	struct iovec data = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = IPPROTO_IP;
	head->cmsg_type = IP_PKTINFO;
	head->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
	struct in_pktinfo info = { .ipi_ifindex = if_nametoindex(INTERFACE) };
	memcpy(CMSG_DATA(head), &info, sizeof(info));
	return done(sendmsg(socket(AF_INET, SOCK_DGRAM, 0), &message, 0));
}

/* A socket that has looked something up then sends to another port of the same server, and to another server. */
static int lookup_then_elsewhere(void)
{
	struct sockaddr_in asked = to4(CANARY4, LOOKUPS), to = to4(CANARY4, CANARY_PORT);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	if (sendto(s, "x", 1, 0, ADDRESS(asked)) < 0)
		return -1;
	if (connect(s, ADDRESS(to)))
		return -1;
	return done(send(s, "x", 1, 0));
}

/* Connected to where lookups go by one call, and away by the next. */
static int lookup_reconnected(void)
{
	struct sockaddr_in asked = to4(CANARY4, LOOKUPS), to = to4(CANARY4, CANARY_PORT);
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	if (connect(s, ADDRESS(asked)) || connect(s, &nowhere, sizeof(nowhere)) || connect(s, ADDRESS(to)))
		return -1;
	return done(send(s, "x", 1, 0));
}

/* One call sends several datagrams, of which the hooks see one. */
static int lookup_segmented(void)
{
	struct sockaddr_in to = to4(CANARY4, LOOKUPS);
	char data[4] = "xxxx";
	int s = socket(AF_INET, SOCK_DGRAM, 0), size = 1;
	if (setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		return -1;
	return done(sendto(s, data, sizeof(data), 0, ADDRESS(to)));
}

const struct attack lookup_attacks[] = {
	{ "lookup_sendto", lookup_sendto },
	{ "lookup6_sendto", lookup6_sendto },
	{ "lookup_connected", lookup_connected },
	{ "lookup_mapped", lookup_mapped },
	{ "lookup_by_interface", lookup_by_interface },
	{ "lookup_then_elsewhere", lookup_then_elsewhere },
	{ "lookup_reconnected", lookup_reconnected },
	{ "lookup_segmented", lookup_segmented },
	{ 0 },
};
