"""Real servers of ClickHouse for tests: one or more on free ports of this machine."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

START_SECONDS = 60

CONFIG = """<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><log>{folder}/server.log</log>
    <errorlog>{folder}/error.log</errorlog></logger>
  <listen_host>127.0.0.1</listen_host>
  <tcp_port>{tcp}</tcp_port>
  <http_port>{http}</http_port>
  <interserver_http_port>{interserver}</interserver_http_port>
  <interserver_http_host>127.0.0.1</interserver_http_host>
  <max_connections>256</max_connections>
  <keep_alive_timeout>3</keep_alive_timeout>
  <max_concurrent_queries>100</max_concurrent_queries>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <mark_cache_size>67108864</mark_cache_size>
  <path>{folder}/data/</path>
  <tmp_path>{folder}/tmp/</tmp_path>
  <user_files_path>{folder}/user_files/</user_files_path>
  <format_schema_path>{folder}/format_schemas/</format_schema_path>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>UTC</timezone>
  <remote_servers><{cluster}>{shards}</{cluster}></remote_servers>
</yandex>
"""
SHARD = (
    "<shard><internal_replication>true</internal_replication>"
    "<replica><host>127.0.0.1</host><port>{tcp}</port></replica></shard>"
)
USERS = """<?xml version="1.0"?>
<yandex>
  <profiles><default><max_memory_usage>4000000000</max_memory_usage>
    <load_balancing>random</load_balancing></default></profiles>
  <users><default><password></password><networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota></default></users>
  <quotas><default/></quotas>
</yandex>
"""


def binary():
    """Find the server's program; where there is none, the test is skipped, but not in CI."""
    name = "clickhouse-server"
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if found is None:
        missing = "no clickhouse-server here; on Debian: apt-get install clickhouse-server"
        assert "DRAWSTORE_PREFIX" not in os.environ, missing  # as .ci/run says it
        pytest.skip(missing)
    return found


def free_ports(n):
    """Give ports that nobody listens on now, three in a row for each of n servers."""
    groups = []
    with contextlib.ExitStack() as stack:
        while len(groups) < n:
            first = stack.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            start = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                for port in (start + 1, start + 2):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
                groups.append((start, start + 1, start + 2))
    return groups


class Server:
    """One server, in a folder of its own. It can be killed and started again."""

    def __init__(self, folder, ports, shards, cluster):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.tcp, self.http, interserver = ports
        self.process = None
        config = CONFIG.format(
            folder=self.folder,
            tcp=self.tcp,
            http=self.http,
            interserver=interserver,
            cluster=cluster,
            shards=shards,
        )
        (self.folder / "config.xml").write_text(config)
        (self.folder / "users.xml").write_text(USERS)

    def start(self):
        config = f"--config-file={self.folder / 'config.xml'}"
        with (self.folder / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                [binary(), config], cwd=self.folder, stdout=output, stderr=output
            )
        give_up = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.query("SELECT 1") == b"1\n":
                    return
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.kill()
                said = (self.folder / "output.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"clickhouse-server did not start: {said}")
            time.sleep(0.05)

    def stop(self):
        """Let it end in the ordinary way."""
        self._end(subprocess.Popen.terminate)

    def kill(self):
        """End it as SIGKILL does."""
        self._end(subprocess.Popen.kill)

    def _end(self, how):
        if self.process is None:
            return
        how(self.process)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def query(self, query, data=None, **settings):
        """Send a query over HTTP, and give the answer. Raises RuntimeError for what it refuses."""
        if data is None:
            data = query.encode()  # an address has a limit
        else:
            settings["query"] = query
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}/?{urllib.parse.urlencode(settings)}", data=data
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode(errors="replace")) from None


@contextlib.contextmanager
def servers(folder, n=1, cluster="two"):
    """Run servers that know each other as the shards of a cluster."""
    groups = free_ports(n)
    shards = "".join(SHARD.format(tcp=tcp) for tcp, _, _ in groups)
    nodes = [
        Server(Path(folder) / f"node{i}", group, shards, cluster) for i, group in enumerate(groups)
    ]
    try:
        for node in nodes:
            node.start()
        yield nodes
    finally:
        for node in nodes:
            node.kill()
