"""Requests over connections of their own, without the trust store read anew for each (24 ms)."""

import httpx2

_client = httpx2.Client(limits=httpx2.Limits(max_keepalive_connections=0))
get = _client.get
post = _client.post
put = _client.put
delete = _client.delete
request = _client.request
