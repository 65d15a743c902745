/* Runs one attack by its name and says how it went: "ok", or the name of the error. "list" names them all. */
#include "attack.h"
#include <stdio.h>

static const struct attack *const all[] = {
	confined_attacks, datagram_attacks, device_attacks, family_attacks, lookup_attacks, routing_attacks,
	stream_attacks,
};

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: attack NAME | list\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		for (const struct attack *it = all[i]; it->name; it++) {
			if (strcmp(argv[1], "list") == 0) {
				puts(it->name);
			} else if (strcmp(argv[1], it->name) == 0) {
				errno = 0;
				int failed = it->run() != 0;
				puts(failed ? strerrorname_np(errno) : "ok");
				return 0;
			}
		}
	}
	if (strcmp(argv[1], "list") == 0)
		return 0;
	fprintf(stderr, "no attack `%s`\n", argv[1]);
	return 2;
}
