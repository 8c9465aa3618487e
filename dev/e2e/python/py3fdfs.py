"""py3Fdfs, every call of it, against one cluster with narrow addresses.

Arguments: TRACKER_IP STORAGE_IP. Run in a folder it may write into. Not called, because the client itself is at fault
whatever the server does: the `..._by_file` calls, which never end; the download of more than a buffer to a file, which
counts wrongly when the content arrives in pieces.
"""

import sys

from calls import call
from fdfs_client.client import Fdfs_client
from fdfs_client.storage_client import Storage_client
from fdfs_client.tracker_client import Tracker_client

tracker = {"host_tuple": (sys.argv[1],), "port": 22122, "timeout": 10, "name": "Tracker Pool"}

def client():
    """A new one for each call: after a fault of its own it goes on with a connection out of step."""
    return Fdfs_client(dict(tracker))


HELLO = b"hello fastdfs\n"
BIG = bytes(range(251)) * 1300  # larger than any buffer on the way
with open("hello.txt", "wb") as file:
    file.write(HELLO)
with open("big.tar.gz", "wb") as file:
    file.write(BIG)


def stored(result):
    """The id in the answer of an upload; a name nobody has when there was no upload."""
    return result["Remote file_id"] if result else b"group1/M00/00/00/" + 27 * b"x" + b".txt000"


def content(file_id):
    """What a file holds, in few words."""
    got = client().download_to_buffer(file_id)["Content"]
    known = {HELLO: "hello", BIG: "big", HELLO + HELLO: "hello hello"}
    return known.get(got, got if len(got) < 100 else f"{len(got)} bytes")


def to_file(file_id, wanted):
    answer = client().download_to_file("fetched", file_id)
    with open("fetched", "rb") as fetched:
        return answer["Content"], answer["Download size"], fetched.read() == wanted


def part(file_id, offset, length):
    """Client.download_to_buffer takes no offset, for want of a variable; the class below it does."""
    group, name = file_id.split(b"/", 1)
    trackers = Tracker_client(client().tracker_pool)
    server = trackers.tracker_query_storage_fetch(group, name)
    storage = Storage_client(server.ip_addr, server.port, 10)
    return storage.storage_download_to_buffer(trackers, server, None, offset, length, name)["Content"]


def metadata(file_id):
    """Client.get_meta_data wants its name as bytes and as text; the class below it wants text."""
    group, name = file_id.split(b"/", 1)
    trackers = Tracker_client(client().tracker_pool)
    server = trackers.tracker_query_storage_fetch(group, name)
    return Storage_client(server.ip_addr, server.port, 10).storage_get_metadata(trackers, server, name.decode())


by_name = stored(call("upload by filename", lambda: client().upload_by_filename("hello.txt")))
big = stored(call("upload a big file by filename", lambda: client().upload_by_filename("big.tar.gz")))
by_buffer = stored(call("upload by buffer", lambda: client().upload_by_buffer(HELLO, "txt")))
call("upload by buffer without extension", lambda: client().upload_by_buffer(HELLO))
call("upload by buffer with metadata", lambda: client().upload_by_buffer(HELLO, "txt", {"width": "160"}))
call("upload of nothing", lambda: client().upload_by_buffer(b""))
call("upload of a file that is not there", lambda: client().upload_by_filename("nothing"))

call("download to buffer", lambda: content(by_name))
call("download to buffer what came from a buffer", lambda: content(by_buffer))
call("download a big file to buffer", lambda: content(big))
call("download to file", lambda: to_file(by_name, HELLO))
call("download a part", lambda: part(by_name, 6, 4))
call("download a part of a big file", lambda: part(big, 251 * 1299 - 1, 3))
call("download from an offset on", lambda: part(by_name, 6, 0))
call("download more than there is", lambda: part(by_name, 6, 1000))
call("download from beyond the end", lambda: part(by_name, 14, 1))
call("download a part with the client's own call", lambda: client().download_to_buffer(by_name, 6, 4))

call("set metadata", lambda: client().set_meta_data(by_name, {"width": "160", "height": "80"}))
call("get metadata", lambda: client().get_meta_data(by_name))
call("get metadata of a file that has none", lambda: metadata(by_name))

appender = stored(call("upload appender by filename", lambda: client().upload_appender_by_filename("hello.txt")))
call("append by filename", lambda: client().append_by_filename("hello.txt", appender))
call("content after append by filename", lambda: content(appender))
call("truncate", lambda: client().truncate_file(5, appender))
call("content after truncate", lambda: content(appender))
call("truncate beyond the end", lambda: client().truncate_file(8, appender))
call("content after truncate beyond the end", lambda: content(appender))
call("append by buffer", lambda: client().append_by_buffer(b"!", appender))
call("modify by buffer", lambda: client().modify_by_buffer(b"HELLO", appender))
call("content after modify by buffer", lambda: content(appender))
call("modify by filename", lambda: client().modify_by_filename("hello.txt", appender))
call("content after modify by filename", lambda: content(appender))
appender = stored(call("upload appender by buffer", lambda: client().upload_appender_by_buffer(BIG, "bin")))
call("append a big buffer", lambda: client().append_by_buffer(BIG, appender))
call("size after appending a big buffer", lambda: content(appender))
call("append to a file that is no appender", lambda: client().append_by_buffer(HELLO, by_name))
call("truncate a file that is no appender", lambda: client().truncate_file(1, by_name))

call("upload slave by filename", lambda: client().upload_slave_by_filename("hello.txt", by_name, b"_small"))
call("upload slave by buffer", lambda: client().upload_slave_by_buffer(HELLO, by_name, None, "txt"))

call("list one group", lambda: client().list_one_group(b"group1").active_count)
call("list all groups", lambda: client().list_all_groups()["Groups count"])
call("list servers", lambda: len(client().list_servers(b"group1")["Servers"]))
call("list one server", lambda: len(client().list_servers(b"group1", sys.argv[2].encode())["Servers"]))

call("delete", lambda: client().delete_file(by_name))
call("delete again", lambda: client().delete_file(by_name))
call("download what was deleted", lambda: client().download_to_buffer(by_name))
call("delete a big file", lambda: client().delete_file(big))
call("delete an appender", lambda: client().delete_file(appender))
call("delete in an unknown group", lambda: client().delete_file(b"group9/" + by_buffer.split(b"/", 1)[1]))
call("what came from a buffer is still there", lambda: content(by_buffer))
