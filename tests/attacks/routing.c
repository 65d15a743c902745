/* Sockets that are sent to where a hook would let them go, and packets that go elsewhere. */
#include "attack.h"
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdint.h>

/* Loose source route through the canary; the destination itself is the host. */
static const unsigned char SOURCE_ROUTE[8] = { 131, 7, 4, 192, 0, 2, 2, 0 };

static int source_route(void)
{
	struct sockaddr_in to = to4("192.0.2.1", 53);
	int s = stream(AF_INET);
	if (setsockopt(s, IPPROTO_IP, IP_OPTIONS, SOURCE_ROUTE, sizeof(SOURCE_ROUTE)))
		return -1;
	/* What counts is the packet: nobody answers it. */
	return connect(s, ADDRESS(to)) && errno != EINPROGRESS && errno != ECONNREFUSED ? -1 : 0;
}

static int send_with(int family, struct sockaddr *to, socklen_t size, int level, int type, const void *value, size_t bytes)
{
	char control[256] = { 0 };
	struct iovec data = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = {
		.msg_name = to, .msg_namelen = size, .msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = CMSG_SPACE(bytes),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = level;
	head->cmsg_type = type;
	head->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(head), value, bytes);
	return sendmsg(socket(family, SOCK_DGRAM, 0), &message, 0) < 0 ? -1 : 0;
}

/* The same as ancillary data of a datagram to a name server: no hook sees it, the packet does. */
static int source_route_datagram(void)
{
	struct sockaddr_in to = to4("192.0.2.1", 53);
	return send_with(AF_INET, ADDRESS(to), IPPROTO_IP, IP_RETOPTS, SOURCE_ROUTE, sizeof(SOURCE_ROUTE));
}

/* A segment routing header (RFC 8754): first the canary, then the address that the call names. */
struct route6 {
	uint8_t next, length, type, left, last, flags;
	uint16_t tag;
	struct in6_addr segments[2];
};

static struct route6 through_canary(void)
{
	struct route6 route = { .length = 4, .type = 4, .left = 1, .last = 1 };
	inet_pton(AF_INET6, CANARY6, &route.segments[1]);
	return route;
}

static int routing_header(void)
{
	struct sockaddr_in6 to = to6("2001:db8::1", 53);
	struct route6 route = through_canary();
	int s = stream(AF_INET6);
	if (setsockopt(s, IPPROTO_IPV6, IPV6_RTHDR, &route, sizeof(route)))
		return -1;
	/* What counts is the packet: nobody answers it. */
	return connect(s, ADDRESS(to)) && errno != EINPROGRESS && errno != ECONNREFUSED ? -1 : 0;
}

/* Hop-by-hop options: padding, but an extension header. */
static int hop_by_hop_datagram(void)
{
	struct sockaddr_in6 to = to6(CANARY6, 53);
	static const unsigned char options[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	return send_with(AF_INET6, ADDRESS(to), IPPROTO_IPV6, IPV6_HOPOPTS, options, sizeof(options));
}

static int option(int family, int type, int level, int name, const void *value, socklen_t bytes)
{
	return setsockopt(socket(family, type, 0), level, name, value, bytes);
}

static int bind_to_device(void)
{
	return option(AF_INET, SOCK_STREAM, SOL_SOCKET, SO_BINDTODEVICE, INTERFACE, sizeof(INTERFACE));
}

static int bind_to_interface(void)
{
	int index = if_nametoindex(INTERFACE);
	return option(AF_INET, SOCK_STREAM, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index));
}

static int mark(void)
{
	int value = 1;
	return option(AF_INET, SOCK_STREAM, SOL_SOCKET, SO_MARK, &value, sizeof(value));
}

static int transparent(void)
{
	int value = 1;
	return option(AF_INET, SOCK_STREAM, IPPROTO_IP, IP_TRANSPARENT, &value, sizeof(value));
}

static int unicast_interface(void)
{
	uint32_t index = htonl(if_nametoindex(INTERFACE));
	return option(AF_INET, SOCK_STREAM, IPPROTO_IP, IP_UNICAST_IF, &index, sizeof(index));
}

/* From an address of anybody: the answer to it would leave the host. */
static int free_bind(void)
{
	int value = 1;
	return option(AF_INET, SOCK_STREAM, IPPROTO_IP, IP_FREEBIND, &value, sizeof(value));
}

static int free_bind6(void)
{
	int value = 1;
	return option(AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_FREEBIND, &value, sizeof(value));
}

/* A program of our own chooses which of several servers gets a connection. */
static int steer(void)
{
	struct sock_filter first[] = { { 0x06, 0, 0, 0 } };
	struct sock_fprog program = { .len = 1, .filter = first };
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	return setsockopt(s, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}

static int repair(void)
{
	int value = 1;
	return option(AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_REPAIR, &value, sizeof(value));
}

/* The kernel itself sends the membership report. */
static int multicast_join(void)
{
	struct ip_mreqn group = { .imr_ifindex = if_nametoindex(INTERFACE) };
	inet_pton(AF_INET, "239.1.2.3", &group.imr_multiaddr);
	return option(AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group));
}

static int multicast_join_group(void)
{
	struct group_req group = { .gr_interface = if_nametoindex(INTERFACE) };
	struct sockaddr_in to = to4("239.1.2.4", 0);
	memcpy(&group.gr_group, &to, sizeof(to));
	return option(AF_INET, SOCK_DGRAM, IPPROTO_IP, MCAST_JOIN_GROUP, &group, sizeof(group));
}

static int multicast_join_source(void)
{
	struct group_source_req group = { .gsr_interface = if_nametoindex(INTERFACE) };
	struct sockaddr_in to = to4("239.1.2.5", 0), from = to4(CANARY4, 0);
	memcpy(&group.gsr_group, &to, sizeof(to));
	memcpy(&group.gsr_source, &from, sizeof(from));
	return option(AF_INET, SOCK_DGRAM, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &group, sizeof(group));
}

const struct attack routing_attacks[] = {
	{ "source_route", source_route },
	{ "source_route_datagram", source_route_datagram },
	{ "routing_header", routing_header },
	{ "hop_by_hop_datagram", hop_by_hop_datagram },
	{ "bind_to_device", bind_to_device },
	{ "bind_to_interface", bind_to_interface },
	{ "mark", mark },
	{ "transparent", transparent },
	{ "unicast_interface", unicast_interface },
	{ "free_bind", free_bind },
	{ "free_bind6", free_bind6 },
	{ "steer", steer },
	{ "repair", repair },
	{ "multicast_join", multicast_join },
	{ "multicast_join_group", multicast_join_group },
	{ "multicast_join_source", multicast_join_source },
	{ 0 },
};
