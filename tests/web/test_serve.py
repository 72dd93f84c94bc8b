"""`spl web` as a process: whom it listens to, how it ends, what it leaves."""

import json
import signal
import socket
import urllib.request
from io import BytesIO

import numpy as np
import pytest
from PIL import Image


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_ends_also_during_a_fill_and_leaves_no_file(start_server, number):
    process, address, folder = start_server()
    key = json.load(urllib.request.urlopen(f"{address}/example", data=b""))["key"]
    hole, buffer = np.zeros((768, 768), bool), BytesIO()
    hole[100:500, 100:500] = True  # takes a biharmonic fill a minute
    Image.fromarray(hole).save(buffer, "PNG")
    answer = urllib.request.urlopen(f"{address}/images/{key}/fill?fill=biharmonic", data=buffer.getvalue())
    assert json.loads(answer.readline()) == {"ahead": 0}
    assert len(list(folder.glob("spl-web-*/*/*"))) >= 3  # image, preview, mask
    process.send_signal(number)
    assert process.wait(timeout=20) == 0
    assert list(folder.glob("spl-web-*")) == []


@pytest.mark.parametrize("head", ["Content-Length: 900000000", "Transfer-Encoding: chunked"])
def test_a_file_that_is_too_large_is_refused_long_before_it_has_come(start_server, head):
    _, address, folder = start_server("--max-megabytes", 1)
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=30) as connection:
        host = address.removeprefix("http://")
        connection.sendall(f"POST /images HTTP/1.1\r\nHost: {host}\r\n{head}\r\n\r\n".encode())
        if "chunked" in head:
            connection.sendall(b"100001\r\n" + bytes(0x100001))  # and no end
        assert connection.recv(12) == b"HTTP/1.1 413"
    assert list(folder.glob("spl-web-*/*")) == []


def test_it_listens_on_this_machine_alone(start_server):
    _, address, _ = start_server()
    port = int(address.rpartition(":")[2])
    socket.create_connection(("127.0.0.1", port), timeout=10).close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", port), timeout=10)


def test_a_port_that_is_taken_is_one_line(spl):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = spl("web", "--port", port)
    assert ended.status == 1
    assert ended.err == f"DataError: port {port}: Address already in use. Choose another: --port {port + 1}\n"


def test_a_run_that_is_not_there_is_one_line(spl, tmp_path):
    ended = spl("web", "--port", 0, "--weights", "nowhere", cwd=tmp_path)
    assert (ended.status, ended.err[:39]) == (1, "DataError: --weights nowhere: expected ")
