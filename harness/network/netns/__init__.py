"""The kernel network: NATs by nftables in network namespaces, and a real coturn between them."""
