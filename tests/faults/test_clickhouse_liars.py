"""What answers is no server, or one with a certificate that nobody knows: one OSError, soon."""

import random
import resource
import shutil
import time

import pytest
from liars import Liar, made_certificate

from drawstore import ClickHouseBackend

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
NOISE = random.Random(1).randbytes(3000)
ENDLESS = 2**40


def whole(body):
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def piece(body):
    return b"%x\r\n%b\r\n" % (len(body), body)


def forever(first, again):
    def answer():
        yield first
        while True:
            yield again

    return answer


def once(*pieces):
    return lambda: pieces


SHORT = {
    "nothing": once(),
    "noise": once(NOISE),
    "noise after a status": once(HEAD, NOISE),
    "a page": once(whole(b"<html><body>Sign in to this network</body></html>")),
    "noise in an answer": once(whole(NOISE)),
    "noise in pieces": once(CHUNKED, piece(NOISE), b"0\r\n\r\n"),
    "half of a text": once(whole(b"\xff\xff\x03abc")),
    "a size of 2^63": once(whole(b"\xff\xff\xff\xff\xff\xff\xff\xff\x7fabc")),
    "half of an answer": once(HEAD, b"Content-Length: 100\r\n\r\n", b"\x030.0"),
    "half of a piece": once(CHUNKED, b"64\r\nabc"),
    "an answer that ends when it ends": once(HEAD, b"\r\n", b"\x010"),
    "no text at all": once(whole(b"")),
    "an error of a proxy": once(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
    "an error of noise": once(b"HTTP/1.1 500 X\r\nContent-Length: 3000\r\n\r\n", NOISE),
    "an early hint": once(b"HTTP/1.1 100 Continue\r\n\r\n"),
}
LONG = {
    "an answer without an end": forever(CHUNKED, piece(bytes(2**20))),
    "a text without an end": forever(HEAD + b"Content-Length: %d\r\n\r\n" % ENDLESS, bytes(2**20)),
    "an error without an end": forever(b"HTTP/1.1 500 X\r\n\r\n", b"Code: 60. " * 10000),
    "a line without an end": forever(b"HTTP/1.1 200 ", b"x" * 2**16),
    "headers without an end": forever(HEAD, b"X: y\r\n" * 1000),
    "hints without an end": forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "sizes without an end": forever(CHUNKED, b"1;" + b"x" * 60000 + b"\r\na\r\n"),
}


@pytest.mark.parametrize("name", [*SHORT, *LONG])
def test_what_is_no_answer_is_an_error(name, tmp_path):
    with Liar((SHORT | LONG)[name]) as liar:
        url = f"clickhouse://user:geheim@127.0.0.1:{liar.port}/draws"
        backend = ClickHouseBackend(url, mode="r", journal=tmp_path, timeout=1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.monotonic()
        asked = {
            "runs": backend.get_runs,
            "run": lambda: backend.get_run("x"),
            "new run": lambda: backend.runs.tables.prepare(),
            "insert": lambda: backend.runs.tables.server.insert("t", None, "Native", b"abc", {}),
        }
        for what, ask in asked.items():
            if name == "no text at all" and what != "run":
                continue  # a right answer, of no rows
            with pytest.raises((OSError, KeyError)) as caught:
                ask()
            if isinstance(caught.value, KeyError):  # a right answer, of no rows
                assert name == "no text at all"
            assert "geheim" not in f"{caught.value!r} {caught.value}"
            assert len(str(caught.value)) < 5000
        assert time.monotonic() - begun < 15
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400 * 1024
    assert liar.sent < 4 * 200 * 2**20


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    return made_certificate(tmp_path_factory.mktemp("certificate"))


def test_a_certificate_that_nobody_signed_is_refused(certificate, tmp_path):
    with Liar(once(whole(b"")), certificate[0]) as liar:
        url = f"clickhouse://user:geheim@127.0.0.1:{liar.port}/draws?secure=true"
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            ClickHouseBackend(url, mode="r", journal=tmp_path).get_runs()
    assert liar.requests == []  # also no password


def test_a_certificate_of_another_host_is_refused(certificate, tmp_path):
    with Liar(once(whole(b"")), certificate[0]) as liar:
        where = f"localhost:{liar.port}/draws?secure=true&ca={certificate[1]}"
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            ClickHouseBackend(f"clickhouse://{where}", mode="r", journal=tmp_path).get_runs()
    assert liar.requests == []


def test_a_certificate_that_is_named_is_accepted_and_all_of_a_block_is_sent(certificate, tmp_path):
    with Liar(once(whole(b"")), certificate[0]) as liar:
        where = f"127.0.0.1:{liar.port}/draws?secure=true&ca={certificate[1]}"
        backend = ClickHouseBackend(f"clickhouse://{where}", mode="r", journal=tmp_path)
        assert backend.get_runs() == []
        block = random.Random(2).randbytes(5 * 2**20)
        backend.runs.tables.server.insert("t", None, "Native", block, {})
    assert liar.requests[-1][1] == block
