/* Ways to send a datagram to the canary. */
#include "attack.h"
#include <netinet/udp.h>
#include <net/if.h>

static int done(ssize_t sent)
{
	return sent < 0 ? -1 : 0;
}

static int udp_sendto(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	return done(sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, ADDRESS(to)));
}

static int udp_connected(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	if (connect(s, ADDRESS(to)))
		return -1;
	return done(send(s, "x", 1, 0));
}

static int udp6_sendto(void)
{
	struct sockaddr_in6 to = to6(CANARY6, CANARY_PORT);
	return done(sendto(socket(AF_INET6, SOCK_DGRAM, 0), "x", 1, 0, ADDRESS(to)));
}

static int udp6_connected(void)
{
	struct sockaddr_in6 to = to6(CANARY6, CANARY_PORT);
	int s = socket(AF_INET6, SOCK_DGRAM, 0);
	if (connect(s, ADDRESS(to)))
		return -1;
	return done(send(s, "x", 1, 0));
}

static int udp_mapped(void)
{
	struct sockaddr_in6 to = to6("::ffff:" CANARY4, CANARY_PORT);
	return done(sendto(socket(AF_INET6, SOCK_DGRAM, 0), "x", 1, 0, ADDRESS(to)));
}

/* An IPv4 address given to an IPv6 socket. */
static int udp_other_family(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	return done(sendto(socket(AF_INET6, SOCK_DGRAM, 0), "x", 1, 0, ADDRESS(to)));
}

static int udp_sendmmsg(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	struct iovec data = { .iov_base = "x", .iov_len = 1 };
	struct mmsghdr all[2] = { 0 };
	for (int i = 0; i < 2; i++)
		all[i].msg_hdr = (struct msghdr){
			.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &data, .msg_iovlen = 1,
		};
	return sendmmsg(socket(AF_INET, SOCK_DGRAM, 0), all, 2, 0) == 2 ? 0 : -1;
}

/* One call, many packets. */
static int udp_segmented(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	int s = socket(AF_INET, SOCK_DGRAM, 0), size = 100;
	char data[1000] = { 0 };
	if (setsockopt(s, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)))
		return -1;
	return done(sendto(s, data, sizeof(data), 0, ADDRESS(to)));
}

/* The interface is chosen by ancillary data. */
static int udp_packet_info(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	struct iovec data = { .iov_base = "x", .iov_len = 1 };
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = { 0 };
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

/* Connected to a name server, which may be allowed; the datagram names another address. */
static int udp_named_after_connect(void)
{
	struct sockaddr_in server = to4("127.0.0.1", 53), to = to4(CANARY4, CANARY_PORT);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	if (connect(s, ADDRESS(server)))
		return -1;
	/* The route to the canary needs another source address than the loopback one. */
	struct sockaddr unspecified = { .sa_family = AF_UNSPEC };
	if (connect(s, &unspecified, sizeof(unspecified)) || connect(s, ADDRESS(server)))
		return -1;
	int t = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in local = to4("192.0.2.1", 0);
	if (bind(t, ADDRESS(local)) || connect(t, ADDRESS(server)))
		return -1;
	return done(sendto(t, "x", 1, 0, ADDRESS(to)));
}

/* A broadcast reaches whoever is on the link. */
static int udp_broadcast(void)
{
	struct sockaddr_in to = to4("192.0.2.255", CANARY_PORT);
	int s = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	setsockopt(s, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	return done(sendto(s, "x", 1, 0, ADDRESS(to)));
}

static int udp_multicast(void)
{
	struct sockaddr_in to = to4("224.0.0.251", CANARY_PORT);
	return done(sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, ADDRESS(to)));
}

const struct attack datagram_attacks[] = {
	{ "udp_sendto", udp_sendto },
	{ "udp_connected", udp_connected },
	{ "udp6_sendto", udp6_sendto },
	{ "udp6_connected", udp6_connected },
	{ "udp_mapped", udp_mapped },
	{ "udp_other_family", udp_other_family },
	{ "udp_sendmmsg", udp_sendmmsg },
	{ "udp_segmented", udp_segmented },
	{ "udp_packet_info", udp_packet_info },
	{ "udp_named_after_connect", udp_named_after_connect },
	{ "udp_broadcast", udp_broadcast },
	{ "udp_multicast", udp_multicast },
	{ 0 },
};
