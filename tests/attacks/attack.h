/* What the attack programs share: where the canary is, and how an attempt is told. */
#ifndef ATTACK_H
#define ATTACK_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The canary's addresses in the test's own network namespace, and the interface that leads to it. */
#define CANARY4 "192.0.2.2"
#define CANARY6 "2001:db8::2"
#define CANARY_PORT 7
#define INTERFACE "out"

/* One way to send something to the canary: 0, or -1 with errno. */
struct attack {
	const char *name;
	int (*run)(void);
};

/* Each file's attacks, ended by one without a name. */
extern const struct attack confined_attacks[];
extern const struct attack datagram_attacks[];
extern const struct attack device_attacks[];
extern const struct attack family_attacks[];
extern const struct attack lookup_attacks[];
extern const struct attack routing_attacks[];
extern const struct attack stream_attacks[];

static inline struct sockaddr_in to4(const char *address, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	inet_pton(AF_INET, address, &to.sin_addr);
	return to;
}

static inline struct sockaddr_in6 to6(const char *address, int port)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	inet_pton(AF_INET6, address, &to.sin6_addr);
	return to;
}

/* A TCP socket that gives up soon: some attempts are never answered. */
static inline int stream(int family)
{
	struct timeval soon = { .tv_usec = 300000 };
	int s = socket(family, SOCK_STREAM, 0);
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	return s;
}

#define ADDRESS(to) ((struct sockaddr *)&(to)), sizeof(to)

#endif
