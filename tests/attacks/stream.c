/* Ways to open a TCP connection to the canary: these are to be redirected, not refused. */
#include "attack.h"
#include <netinet/tcp.h>
#include <poll.h>

static int tcp4(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	return connect(stream(AF_INET), ADDRESS(to));
}

static int tcp6(void)
{
	struct sockaddr_in6 to = to6(CANARY6, CANARY_PORT);
	return connect(stream(AF_INET6), ADDRESS(to));
}

static int tcp_mapped(void)
{
	struct sockaddr_in6 to = to6("::ffff:" CANARY4, CANARY_PORT);
	return connect(stream(AF_INET6), ADDRESS(to));
}

static int tcp_nonblocking(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
	socklen_t size = sizeof(error);
	if (connect(s, ADDRESS(to)) && errno != EINPROGRESS)
		return -1;
	struct pollfd ready = { .fd = s, .events = POLLOUT };
	if (poll(&ready, 1, 300) != 1)
		return -1;
	getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &size);
	errno = error;
	return error ? -1 : 0;
}

/* Data with the SYN. */
static int fast_open_sendto(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	return sendto(stream(AF_INET), "x", 1, MSG_FASTOPEN, ADDRESS(to)) < 0 ? -1 : 0;
}

static int fast_open_connect(void)
{
	struct sockaddr_in to = to4(CANARY4, CANARY_PORT);
	int s = stream(AF_INET), on = 1;
	if (setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) || connect(s, ADDRESS(to)))
		return -1;
	return send(s, "x", 1, 0) < 0 ? -1 : 0;
}

/* A second connection of the same socket. */
static int reconnected(void)
{
	struct sockaddr_in first = to4(CANARY4, CANARY_PORT + 1), to = to4(CANARY4, CANARY_PORT);
	struct sockaddr unspecified = { .sa_family = AF_UNSPEC };
	int s = stream(AF_INET);
	if (connect(s, ADDRESS(first)) && errno != ECONNREFUSED)
		return -1;
	if (connect(s, &unspecified, sizeof(unspecified)))
		return -1;
	return connect(s, ADDRESS(to));
}

/* From an address of the interface that leads out. */
static int bound_outside(void)
{
	struct sockaddr_in local = to4("192.0.2.1", 0), to = to4(CANARY4, CANARY_PORT);
	int s = stream(AF_INET);
	return bind(s, ADDRESS(local)) || connect(s, ADDRESS(to)) ? -1 : 0;
}

const struct attack stream_attacks[] = {
	{ "tcp4", tcp4 },
	{ "tcp6", tcp6 },
	{ "tcp_mapped", tcp_mapped },
	{ "tcp_nonblocking", tcp_nonblocking },
	{ "fast_open_sendto", fast_open_sendto },
	{ "fast_open_connect", fast_open_connect },
	{ "reconnected", reconnected },
	{ "bound_outside", bound_outside },
	{ 0 },
};
