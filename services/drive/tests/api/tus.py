"""Uploads a file with tuspy, unmodified: as a whole, in parts by two clients, and with checksums of each part."""

import sys

from tusclient import client

url, authorization, content = sys.argv[1:]
headers = {"Authorization": authorization}


def uploader(name, **more):
    return client.TusClient(url, headers).uploader(content, metadata={"filename": name}, **more)


whole = uploader("whole.bin")
whole.upload()

first = uploader("resumed.bin", chunk_size=2_000_000, upload_checksum=True)
first.upload_chunk()
first.upload_chunk()
again = client.TusClient(url, headers).uploader(content, url=first.url, chunk_size=3_000_000)
assert again.offset == 4_000_000, again.offset
again.upload()

checked = uploader("checked.bin", chunk_size=5_000_000, upload_checksum=True)
checked.upload()
