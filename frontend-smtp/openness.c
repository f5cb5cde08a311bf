#include "openness.h"

#include "base/slice.h"
#include "net/addr.h"

#include <string.h>

#define V4_BITS 96 /* of the mapped address, before those of IPv4 */
#define WIDEST_V4 (V4_BITS + 16)
#define WIDEST_V6 32

static const char *const private_nets[] = {
	"10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8",
	"169.254.0.0/16", "100.64.0.0/10", "fc00::/7",       "fe80::/10",
};

static bool
net_has_net(const struct addr_net *big, const struct addr_net *small)
{
	unsigned whole = big->prefix_bits / 8, rest = big->prefix_bits % 8;

	if (small->prefix_bits < big->prefix_bits)
		return false;
	if (memcmp(big->bytes, small->bytes, whole) != 0)
		return false;
	return rest == 0 || (big->bytes[whole] ^ small->bytes[whole]) >> (8 - rest) == 0;
}

static bool
is_private(const struct addr_net *net)
{
	struct addr_net known;

	for (size_t i = 0; i < ARRAY_LEN(private_nets); i++)
		if (addr_net_parse(slice_of(private_nets[i]), &known) && net_has_net(&known, net))
			return true;
	return false;
}

/* All of IPv4 is a small part of IPv6: ::ffff:0:0/96. */
static bool
is_wide(const struct addr_net *net)
{
	struct addr_net all_v4;
	bool known = addr_net_parse(SLICE("0.0.0.0/0"), &all_v4);

	must(known);
	if (is_private(net))
		return false;
	if (net_has_net(&all_v4, net))
		return net->prefix_bits < WIDEST_V4;
	return net->prefix_bits < WIDEST_V6 || net_has_net(net, &all_v4);
}

static int
check(const struct conf *c, const char *setting, struct err *err)
{
	size_t n;
	const struct addr_net *nets = conf_nets(c, setting, &n);

	for (size_t i = 0; i < n; i++) {
		if (!is_wide(&nets[i]))
			continue;
		err_set(err,
		        "%s: network number %zu is a large part of the Internet, to which we would be "
		        "an open relay; say open_relay_i_mean_it = yes if that is wanted",
		        setting, i + 1);
		return -1;
	}
	return 0;
}

int
openness_check(const struct conf *c, struct err *err)
{
	if (conf_bool(c, "open_relay_i_mean_it"))
		return 0;
	return check(c, "mynetworks", err) == -1 || check(c, "trusted_networks", err) == -1 ? -1
	                                                                                    : 0;
}
