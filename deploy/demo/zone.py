"""The demo's DNS zone: equal MX and round-robin addresses, served by dnsmasq."""
import os

import dns.exception
import dns.resolver

import cluster as c


class Zone:
    def __init__(self, cluster):
        self.cluster = cluster
        self.hosts = os.path.join(cluster.dir, "etc", "zone.hosts")
        self.process = None

    def prepare(self):
        cl, domain = self.cluster, self.cluster.domain
        with open(self.hosts, "w") as f:
            for i, front in enumerate(cl.fronts):
                f.write(f"{cl.ip(front)} mx{i + 1}.{domain}\n")
                for name in ("imap", "pop3", "smtp", "mail"):
                    f.write(f"{cl.ip(front)} {name}.{domain}\n")
        args = ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
                "--no-resolv", "--no-hosts", "--pid-file=", "--bind-interfaces", "--user=",
                f"--addn-hosts={self.hosts}", f"--local=/{domain}/",
                f"--listen-address={cl.ip('dns')}", f"--port={c.PORTS['dns']}"]
        args += [f"--mx-host={domain},mx{i + 1}.{domain},10" for i in range(len(cl.fronts))]
        self.process = c.Process(cl, "dns", args, [cl.at("dns", "dns")])

    def resolve(self, name, kind):
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [self.cluster.ip("dns")], c.PORTS["dns"]
        try:
            return list(resolver.resolve(name, kind))
        except dns.exception.DNSException as e:
            raise c.Trouble(f"no {kind} of {name} from the demo's DNS: {e}") from e


def find_mail_hosts(zone, domain):
    """By preference; equal ones in the order the server gave."""
    found = sorted(zone.resolve(domain, "MX"), key=lambda mx: mx.preference)
    return [str(mx.exchange).rstrip(".") for mx in found]


def find_addresses(zone, host):
    return [a.address for a in zone.resolve(host, "A")]
