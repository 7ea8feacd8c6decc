"""Asking a server of the dashboard, as a browser would."""

import http.client
import json
import time


def ask(server, path, method="GET", **headers):
    """Ask a server, word for word; gives status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host="host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def until(look, seconds=20):
    """Look until there is something, and give that."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def answer(server, path):
    """Give the JSON at an address."""
    status, _, body = ask(server, path)
    assert status == 200, body
    return json.loads(body)
