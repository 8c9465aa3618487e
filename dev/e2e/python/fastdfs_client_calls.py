"""fastdfs-client, every call of it, against one cluster with wide addresses.

Arguments: TRACKER_IP STORAGE_IP. Run in a folder it may write into. Not called: the download of more than a buffer to a
file, at which the client itself counts wrongly when the content arrives in pieces.
"""

import asyncio
import sys

from calls import call
from fastdfs_client import AsyncDfsClient, FastdfsClient
from fastdfs_client.storage_client import StorageClient
from fastdfs_client.tracker_client import TrackerClient


def client():
    """A new one for each call: after a fault of its own it goes on with a connection out of step."""
    return FastdfsClient((sys.argv[1],))


HELLO = b"hello fastdfs\n"
BIG = bytes(range(251)) * 1300  # larger than any buffer on the way
with open("hello.txt", "wb") as file:
    file.write(HELLO)
with open("big.tar.gz", "wb") as file:
    file.write(BIG)


def stored(result):
    """The id in the answer of an upload; a name nobody has when there was no upload."""
    return result["Remote file_id"] if result else "group1/M00/00/00/" + 27 * "x" + ".txt000"


def content(file_id):
    """What a file holds, in few words."""
    got = client().download_to_buffer(file_id)["Content"]
    known = {HELLO: "hello", BIG: "big", HELLO + HELLO: "hello hello"}
    return known.get(got, got if len(got) < 100 else f"{len(got)} bytes")


def to_file(file_id, wanted):
    answer = client().download_to_file("fetched", file_id)
    with open("fetched", "rb") as fetched:
        return answer["Content"], answer["Download size"], fetched.read() == wanted


def on_storage(file_id, function):
    """Calls of the class below the client, for what the client itself spoils: it gives names as text where only
    bytes can be sent. `function` gets that class, the tracker's class, the server and the name as bytes."""
    group, name = file_id.split("/", 1)
    trackers = TrackerClient(client().tracker_pool)
    server = trackers.tracker_query_storage_update(group, name)
    return function(StorageClient(server.ip_addr, server.port, 10), trackers, server, name.encode())


def append(file_id, content):
    return on_storage(file_id, lambda s, t, server, name: s.storage_append_by_buffer(t, server, content, name))


def append_file(file_id, path):
    return on_storage(file_id, lambda s, t, server, name: s.storage_append_by_filename(t, server, path, name))


def modify(file_id, offset, content):
    def do(storage, trackers, server, name):
        return storage.storage_modify_by_buffer(trackers, server, content, offset, len(content), name)

    return on_storage(file_id, do)


def truncate(file_id, size):
    return on_storage(file_id, lambda s, t, server, name: s.storage_truncate_file(t, server, size, name))


by_name = stored(call("upload by filename", lambda: client().upload_by_filename("hello.txt")))
big = stored(call("upload a big file by filename", lambda: client().upload_by_filename("big.tar.gz")))
by_buffer = stored(call("upload by buffer", lambda: client().upload_by_buffer(HELLO, "txt")))
call("upload by buffer without extension", lambda: client().upload_by_buffer(HELLO))
call("upload by buffer with metadata", lambda: client().upload_by_buffer(HELLO, "txt", {"width": "160"}))
call("upload by file", lambda: client().upload_by_file("hello.txt"))
call("upload of nothing", lambda: client().upload_by_buffer(b""))
call("upload of a file that is not there", lambda: client().upload_by_filename("nothing"))
call("upload as URL", lambda: client().upload_as_url(HELLO, "txt"))
url = call("upload later", lambda: asyncio.run(AsyncDfsClient((sys.argv[1],)).upload(HELLO, ".txt")))
call("upload later of much", lambda: asyncio.run(AsyncDfsClient((sys.argv[1],)).upload(BIG, ".bin")))

call("download to buffer", lambda: content(by_name))
call("download to buffer what came from a buffer", lambda: content(by_buffer))
call("download a big file to buffer", lambda: content(big))
call("download to file", lambda: to_file(by_name, HELLO))
call("download a part", lambda: client().download_to_buffer(by_name, 6, 4)["Content"])
call("download a part of a big file", lambda: client().download_to_buffer(big, 251 * 1299 - 1, 3)["Content"])
call("download from an offset on", lambda: client().download_to_buffer(by_name, 6)["Content"])
call("download more than there is", lambda: client().download_to_buffer(by_name, 6, 1000)["Content"])
call("download from beyond the end", lambda: client().download_to_buffer(by_name, 14, 1)["Content"])
call("download a part to file", lambda: client().download_to_file("fetched", by_name, 6, 4)["Download size"])

call("set metadata", lambda: client().set_meta_data(by_name, {"width": "160", "height": "80"}))
call("get metadata of a file that has none", lambda: client().get_meta_data(by_name))

appender = stored(call("upload appender by filename", lambda: client().upload_appender_by_filename("hello.txt")))
call("append by filename", lambda: client().append_by_filename("hello.txt", appender))
call("append by filename, name as bytes", lambda: append_file(appender, "hello.txt"))
call("content after append by filename", lambda: content(appender))
call("truncate", lambda: client().truncate_file(5, appender))
call("truncate, name as bytes", lambda: truncate(appender, 5))
call("content after truncate", lambda: content(appender))
call("truncate beyond the end", lambda: truncate(appender, 8))
call("content after truncate beyond the end", lambda: content(appender))
call("append by buffer", lambda: append(appender, b"!"))
call("modify by buffer", lambda: client().modify_by_buffer(b"HELLO", appender, 3))
call("modify by buffer, name as bytes", lambda: modify(appender, 3, b"HELLO"))
call("content after modify by buffer", lambda: content(appender))
call("modify from beyond the end", lambda: modify(appender, 10, b"HELLO"))
appender = stored(call("upload appender by buffer", lambda: client().upload_appender_by_buffer(BIG, "bin")))
call("append a big buffer", lambda: append(appender, BIG))
call("size after appending a big buffer", lambda: content(appender))
call("append to a file that is no appender", lambda: append(by_name, HELLO))
call("truncate a file that is no appender", lambda: truncate(by_name, 1))

call("upload slave by filename", lambda: client().upload_slave_by_filename("hello.txt", by_name, "_small"))
call("upload slave by buffer", lambda: client().upload_slave_by_buffer(HELLO, by_name, None, "txt"))

call("list one group", lambda: client().list_one_group(b"group1").active_count)
call("list all groups", lambda: client().list_all_groups()["Groups count"])
call("list servers", lambda: len(client().list_servers(b"group1")["Servers"]))
call("list one server", lambda: len(client().list_servers(b"group1", sys.argv[2].encode())["Servers"]))

call("delete", lambda: client().delete_file(by_name))
call("delete again", lambda: client().delete_file(by_name))
call("download what was deleted", lambda: client().download_to_buffer(by_name))
call("delete by URL later", lambda: asyncio.run(client().delete(url.split("/", 3)[3])))
call("delete an appender", lambda: client().delete_file(appender))
call("delete in an unknown group", lambda: client().delete_file("group9/" + by_buffer.split("/", 1)[1]))
call("what came from a buffer is still there", lambda: content(by_buffer))
