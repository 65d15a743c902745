/* Other kinds of sockets than TCP and UDP. */
#include "attack.h"
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

static int send_by(int s, struct sockaddr *to, socklen_t size, const void *data, size_t bytes)
{
	/* Without a socket, its error is the one that counts. */
	return s < 0 || sendto(s, data, bytes, 0, to, size) < 0 ? -1 : 0;
}

/* A whole packet of our own making. */
static int raw_packet(void)
{
	struct sockaddr_in to = to4(CANARY4, 0);
	struct {
		struct iphdr ip;
		char data[8];
	} packet = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = 253, .tot_len = htons(28) } };
	packet.ip.daddr = to.sin_addr.s_addr;
	return send_by(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), ADDRESS(to), &packet, sizeof(packet));
}

static int raw_protocol(void)
{
	struct sockaddr_in to = to4(CANARY4, 0);
	return send_by(socket(AF_INET, SOCK_RAW, 253), ADDRESS(to), "x", 1);
}

static int raw6_protocol(void)
{
	struct sockaddr_in6 to = to6(CANARY6, 0);
	return send_by(socket(AF_INET6, SOCK_RAW, 253), ADDRESS(to), "x", 1);
}

static int ping(void)
{
	struct sockaddr_in to = to4(CANARY4, 0);
	struct icmphdr echo = { .type = ICMP_ECHO };
	return send_by(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), ADDRESS(to), &echo, sizeof(echo));
}

static int opened(int type, int protocol)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	int s = socket(AF_INET, type | SOCK_NONBLOCK, protocol);
	if (s < 0)
		return -1;
	return connect(s, ADDRESS(to)) && errno != EINPROGRESS ? -1 : 0;
}

static int mptcp(void)
{
	return opened(SOCK_STREAM, 262);
}

static int sctp(void)
{
	return opened(SOCK_STREAM, 132);
}

static int sctp_seqpacket(void)
{
	return opened(SOCK_SEQPACKET, 132);
}

static int dccp(void)
{
	return opened(6, 33);
}

static int udp_lite(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	return send_by(socket(AF_INET, SOCK_DGRAM, 136), ADDRESS(to), "x", 1);
}

static int l2tp(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	return send_by(socket(AF_INET, SOCK_DGRAM, 115), ADDRESS(to), "x", 1);
}

static int smc(void)
{
	return opened(SOCK_STREAM, 256);
}

const struct attack family_attacks[] = {
	{ "raw_packet", raw_packet },
	{ "raw_protocol", raw_protocol },
	{ "raw6_protocol", raw6_protocol },
	{ "ping", ping },
	{ "mptcp", mptcp },
	{ "sctp", sctp },
	{ "sctp_seqpacket", sctp_seqpacket },
	{ "dccp", dccp },
	{ "udp_lite", udp_lite },
	{ "l2tp", l2tp },
	{ "smc", smc },
	{ 0 },
};
